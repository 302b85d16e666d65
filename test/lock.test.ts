import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lockDataDirectory } from '../src/hub/lock.ts'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'

/** Starts a process that locks `dataDir` and does nothing else. */
async function owner(dataDir: string): Promise<ChildProcess> {
  const lock = join(import.meta.dirname, '../src/hub/lock.ts')
  const code = `const { lockDataDirectory } = await import(process.argv[1])
    // An unreferenced lock would be garbage-collected, and so released.
    globalThis.held = lockDataDirectory(process.argv[2])
    console.log('locked')
    setInterval(() => {}, 1000)`
  const child = spawn(hubNode, ['--input-type=module', '-e', code, lock, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout!, 'data', { signal: AbortSignal.timeout(90_000) })
  return child
}

test('a second process is refused while the first runs, and told what to do', async () => {
  const dataDir = join(tempDir('lock'), 'data')
  await owner(dataDir)
  expect(() => lockDataDirectory(dataDir)).toThrow(
    expect.objectContaining({ code: 'conflict', message: expect.stringContaining(dataDir) }),
  )
})

test('after kill -9 of the owner the directory is free at once', async () => {
  const dataDir = join(tempDir('lock'), 'data')
  const child = await owner(dataDir)
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockDataDirectory(dataDir).release()
})

test('an owner that is merely suspended keeps its lock', async () => {
  const dataDir = join(tempDir('lock'), 'data')
  const child = await owner(dataDir)
  child.kill('SIGSTOP')
  expect(() => lockDataDirectory(dataDir)).toThrow(expect.objectContaining({ code: 'conflict' }))
})

test('the lock can be released and taken again, even within one process', () => {
  const dataDir = join(tempDir('lock'), 'data')
  const lock = lockDataDirectory(dataDir)
  expect(() => lockDataDirectory(dataDir)).toThrow(expect.objectContaining({ code: 'conflict' }))
  lock.release()
  lockDataDirectory(dataDir).release()
})

test('the directory is created for its owner only', () => {
  const dataDir = join(tempDir('lock'), 'data')
  lockDataDirectory(dataDir).release()
  expect(statSync(dataDir).mode & 0o777).toBe(0o700)
})

test('a second hub on the same data exits with a sentence, and the first continues unaffected', async () => {
  const hub = await startHub()
  const urlFile = join(hub.dataDir, 'hub.url')
  const before = readFileSync(urlFile, 'utf8')
  const second = await run(['hub', '--port', '0', '--data', hub.dataDir], { node: hubNode })
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('Another hub is running') })
  expect(readFileSync(urlFile, 'utf8')).toBe(before)
  const ana = await hub.join('ana')
  expect(await ana.client.call(api.listMachines)).toMatchObject({ you: 'ana' })
})
