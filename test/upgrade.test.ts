import { cpSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test, vi } from 'vitest'
import { checkBackup, fingerprintAs, shapeOfBackup } from '../src/hub/keeping/check-backup.ts'
import { namesIn } from '../src/hub/state/store/backup-names.ts'
import { newestSchema } from '../src/hub/state/store/migrate.ts'
import { api } from '../src/protocol/api.ts'
import { goldenFile } from './support/golden.ts'
import { startHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { hasStrace, killedAt } from './support/strace.ts'
import { tempDir } from './support/temp.ts'

// Each test starts many processes.
vi.setConfig({ testTimeout: 180_000 })

const old = goldenFile('hub-v1.db')

/** Creates a data directory with a store of schema 1. */
function oldStore(dir = join(tempDir('upgrade'), 'data')): string {
  rmSync(dir, { recursive: true, force: true })
  cpSync(old, join(dir, 'hub.db'))
  return dir
}

function backupsOf(dir: string): string[] {
  return namesIn(join(dir, 'backups')).sort()
}

function setSchema(file: string, schema: number): void {
  using db = new DatabaseSync(file)
  db.exec(`pragma user_version = ${schema}`)
}

function start(dataDir: string) {
  return run(['hub', '--port', '0', '--host', '127.0.0.1', '--data', dataDir], { node: hubNode })
}

test('before an upgrade the store is copied; a start without an upgrade copies nothing', async () => {
  const hub = await startHub({ dataDir: oldStore() })
  const [name, ...others] = backupsOf(hub.dataDir)
  expect(others).toEqual([])
  expect(name).toMatch(/^schema-1-20[\d-]+T[\d.-]+Z\.db$/)
  const file = join(hub.dataDir, 'backups', name!)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(checkBackup(file)).toMatchObject({ schema: 1, fingerprint: checkBackup(old).fingerprint })
  await hub.stop()
  await hub.start()
  expect(backupsOf(hub.dataDir)).toEqual([name])
  await hub.stop()
  const upgraded = join(hub.dataDir, 'hub.db')
  expect(checkBackup(upgraded).schema).toBe(newestSchema)
})

test('the last three of these backups are kept', async () => {
  const dataDir = oldStore()
  for (let n = 0; n < 4; n++) cpSync(old, join(dataDir, 'backups', `schema-1-2026-01-0${n + 1}T00-00-00.000Z.db`))
  const hub = await startHub({ dataDir })
  await hub.stop()
  expect(backupsOf(dataDir)).toHaveLength(3)
  expect(backupsOf(dataDir).slice(0, 2)).toEqual([
    'schema-1-2026-01-03T00-00-00.000Z.db',
    'schema-1-2026-01-04T00-00-00.000Z.db',
  ])
})

test('without room for the backup nothing is upgraded, and the error says what to do', async () => {
  const dataDir = oldStore()
  // A file in place of the directory, since permissions would not stop root.
  cpSync(old, join(dataDir, 'backups'))
  const ended = await start(dataDir)
  expect(ended).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/made before an upgrade failed.*\nNothing was upgraded/),
  })
  expect(checkBackup(join(dataDir, 'hub.db')).schema).toBe(1)
})

test('an older program refuses a newer store and names the backup to return to, which it can restore', async () => {
  const hub = await startHub({ dataDir: oldStore() })
  await hub.stop()
  const [name] = backupsOf(hub.dataDir)
  const store = join(hub.dataDir, 'hub.db')
  setSchema(store, newestSchema + 1)
  const before = statSync(store).size
  const refused = await start(hub.dataDir)
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain(
    `The database has schema ${newestSchema + 1}; this program knows ${newestSchema} at most.`,
  )
  const command = /claude-net (restore \S+ --data) DIR/.exec(refused.stderr)?.[1]
  expect(command).toBe(`restore ${join(hub.dataDir, 'backups', name!)} --data`)
  expect(statSync(store).size).toBe(before)
  expect((await run([...command!.split(' '), hub.dataDir], { node: hubNode })).code).toBe(0)
  await hub.start()
  expect(await hub.client().call(api.health)).toMatchObject({ ok: true })
})

test('a backup from a newer program is refused with a sentence', async () => {
  const dataDir = oldStore()
  setSchema(join(dataDir, 'hub.db'), newestSchema + 1)
  const verified = await run(['backup', '--verify', join(dataDir, 'hub.db')], { node: hubNode })
  expect(verified).toMatchObject({ code: 1, stderr: expect.stringContaining('use the newer program') })
})

test('a hub killed at any point of an upgrade leaves the old schema or the new one, and the next start continues', async context => {
  if (!hasStrace()) context.skip('strace is not here to kill it at a point')
  const dir = tempDir('upgrade')
  const shape = shapeOfBackup(old)
  const seen = new Set<number>()
  const points = { fsync: [11, 14, 15, 16], fdatasync: [1, 2], rename: [1], pwrite64: [30, 58, 75, 95] }
  for (const [call, nth] of Object.entries(points).flatMap(([call, nths]) => nths.map(nth => [call, nth] as const))) {
    const dataDir = oldStore(join(dir, 'data'))
    const [strace, ...before] = killedAt(call, nth)
    // No host has this address (RFC 5737), so a hub that is not killed upgrades the store and then exits.
    const args = ['hub', '--host', '192.0.2.1', '--data', dataDir]
    const ended = await run(args, { node: strace!, before: [...before, hubNode] })
    expect(ended.code, `killed at ${call} ${nth}`).toBe(null)
    const store = join(dataDir, 'hub.db')
    {
      // Opened without the program: SQLite recovers the log, and nothing is upgraded.
      using db = new DatabaseSync(store)
      db.exec('pragma journal_mode = delete')
    }
    const found = checkBackup(store)
    expect([1, newestSchema], `killed at ${call} ${nth}`).toContain(found.schema)
    seen.add(found.schema)
    const tables = shapeOfBackup(store).map(({ name }) => name)
    expect(tables.includes('kept'), `killed at ${call} ${nth}`).toBe(found.schema === newestSchema)
    expect(
      fingerprintAs(
        store,
        shape.filter(({ name }) => name === 'message' || name === 'delivery'),
      ),
    ).toBe(
      fingerprintAs(
        old,
        shape.filter(({ name }) => name === 'message' || name === 'delivery'),
      ),
    )
    for (const name of namesIn(join(dataDir, 'backups'))) {
      if (name.endsWith('.db')) expect(checkBackup(join(dataDir, 'backups', name)).schema).toBe(1)
    }
  }
  expect([...seen].sort()).toEqual([1, newestSchema])
  const hub = await startHub({ dataDir: join(dir, 'data') })
  expect(await hub.client().call(api.health)).toMatchObject({ ok: true })
})
