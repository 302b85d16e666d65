import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { copyStore } from '../src/hub/keeping/copy-store.ts'
import { hubNode, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { TestState } from './support/test-state.ts'

vi.setConfig({ testTimeout: 180_000 })

const [root, nobody] = [0, 65_534]

/** Creates a data directory of another user with a small store, a backup of it that only root can read, and a directory of root. */
function start(context: { skip: (why: string) => never }) {
  if (process.getuid?.() !== root) context.skip('only root can act in directories of others')
  const base = tempDir('foreign')
  chmodSync(base, 0o755)
  const [data, own] = [join(base, 'data'), join(base, 'own')]
  const made = new TestState(data)
  const ana = made.member('ana')
  made.member('ben')
  made.send(ana, 'ben')
  const backup = join(base, 'backup.db')
  copyStore(join(data, 'hub.db'), backup, () => {})
  made.state.close()
  mkdirSync(own, { mode: 0o755 })
  for (const path of [data, ...readdirSync(data).map(name => join(data, name))]) chownSync(path, nobody, nobody)
  const secret = join(own, 'secret')
  writeFileSync(secret, 'only for root\n', { mode: 0o600 })
  const cli = (...args: string[]) => run([...args, '--data', data], { node: hubNode })
  return { data, own, backup, secret, cli, file: (name: string) => join(data, name) }
}

test('files that root restores into the directory of another user belong to that user, and no other owner changes', async context => {
  const { data, backup, cli } = start(context)
  expect(await cli('restore', backup)).toMatchObject({ code: 0, stderr: '' })
  const names = readdirSync(data, { recursive: true }).map(String)
  expect(names.some(name => /^replaced-.*hub\.db$/.test(name))).toBe(true)
  for (const name of ['.', ...names]) expect([name, statSync(join(data, name)).uid]).toEqual([name, nobody])
  expect(statSync(backup).uid).toBe(root)
})

test.for(['hub.lock', 'hub.db.restoring', 'hub.db.restored', 'hub.db-journal', 'hub.db.restoring-journal'] as const)(
  'a restore follows no symbolic link at %s: no file of root is created, written or changes its owner',
  async (name, context) => {
    const { own, backup, secret, cli, file } = start(context)
    for (const target of [join(own, 'made-by-root'), secret]) {
      rmSync(file(name), { force: true })
      symlinkSync(target, file(name))
      await cli('restore', backup)
      expect(readdirSync(own)).toEqual(['secret'])
      expect(readFileSync(secret, 'utf8')).toBe('only for root\n')
      const { uid, mode } = statSync(secret)
      expect([uid, mode & 0o777]).toEqual([root, 0o600])
    }
  },
)

test.for([
  ['it is not a socket', (target: string, path: string): void => symlinkSync(target, path)],
  ['it has a second name', (target: string, path: string): void => linkSync(target, path)],
  ['it is not a socket', (_: string, path: string): void => void execFileSync('mkfifo', [path])],
] as const)('commands of root do not use an admin.sock that leads elsewhere: %s', async ([why, make], context) => {
  const { own, cli, file } = start(context)
  let met = 0
  const roots = createServer(() => met++).listen(join(own, 'roots.sock'))
  onTestFinished(() => void roots.close())
  await once(roots, 'listening')
  make(join(own, 'roots.sock'), file('admin.sock'))
  const { code, stderr } = await cli('status')
  expect([code, stderr]).toEqual([1, expect.stringContaining(`admin.sock cannot be trusted: ${why}`)])
  expect(met).toBe(0)
})
