import { execFile } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { Backups } from '../src/hub/keeping/backups.ts'
import { checkBackup } from '../src/hub/keeping/check-backup.ts'
import { backupsIn, newestOf, rotate, superfluous } from '../src/hub/keeping/rotation.ts'
import { openHub } from '../src/hub/open-hub.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import { backupName } from '../src/hub/state/store/backup-names.ts'
import { checkpointPages } from '../src/hub/state/store/open-sqlite.ts'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { replaceBytes } from './support/damage.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { cleanEnv, hubNode, run } from './support/program.ts'
import { raw } from './support/raw.ts'
import { tempDir } from './support/temp.ts'
import { TestState } from './support/test-state.ts'
import { until } from './support/until.ts'

// Each test starts many processes.
vi.setConfig({ testTimeout: 180_000 })

/** Runs an admin's command on the hub's host. */
function admin(hub: TestHub, ...args: string[]) {
  return run([...args, '--data', hub.dataDir], { node: hubNode })
}

function backupsOf(hub: TestHub): string[] {
  const dir = join(hub.dataDir, 'backups')
  return existsSync(dir) ? readdirSync(dir).sort() : []
}

/** Stores messages with long texts, so that a copy of them takes a while. */
function manyMessages(dataDir: string, count: number): void {
  const made = new TestState(dataDir)
  const [ana] = [made.member('ana'), made.member('ben')]
  const body = 'long enough to take up room '.repeat(200)
  for (let left = count; left > 0; left -= 500) {
    const sends = Array.from({ length: Math.min(500, left) }, () => ({
      type: 'message.send' as const,
      id: newMessageId(),
      by: ana,
      to: ['ben'],
      body,
    }))
    made.do({ type: 'settings.set', senderPercent: 100, reservePercent: 0 })
    made.doAtOnce(sends)
  }
  made.state.close()
}

test('a hub that may not raise the priority of its children makes backups at the lowest priority', async () => {
  const isRoot = process.getuid!() === 0
  const unprivileged = isRoot ? ['setpriv', '--bounding-set', '-sys_nice', '--inh-caps', '-sys_nice'] : []
  const hub = await startHub({ wrapper: [...unprivileged, 'nice', '-n', '19'] })
  expect(await admin(hub, 'backup', '--json')).toMatchObject({ code: 0, stderr: '' })
  expect(backupsOf(hub).length).toBeGreaterThan(0)
})

test('a backup of a running hub contains every message acknowledged before, and only its admin can read it', async () => {
  const hub = await startHub()
  const [alpha] = [await hub.join('alpha'), await hub.join('beta')]
  for (const body of ['one', 'two', 'three']) await alpha.client.call(api.sendMessage, { body: { to: 'beta', body } })
  const { stdout, code } = await admin(hub, 'backup', '--json')
  expect(code).toBe(0)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ members: 2, messages: 3, unread: 3 })
  expect(backupsOf(hub).map(name => join(hub.dataDir, 'backups', name))).toEqual([report.file])
  expect(statSync(report.file).mode & 0o777).toBe(0o600)
  expect(statSync(join(hub.dataDir, 'backups')).mode & 0o777).toBe(0o700)
  expect(checkBackup(report.file)).toEqual(report)
})

test('backups made under load are valid, each with at least the messages acknowledged before it', async () => {
  const hub = await startHub()
  const senders = await Promise.all(['s1', 's2', 's3', 's4'].map(name => hub.join(name)))
  await Promise.all(Array.from({ length: 10 }, (_, n) => hub.join(`r${n}`)))
  const enough = new AbortController()
  let answered = 0
  const traffic = Promise.all(
    senders.map(async ({ client }, index) => {
      for (let n = index; !enough.signal.aborted; n++) {
        await client.call(api.sendMessage, { body: { to: `r${n % 10}`, body: `message ${n}` } })
        answered++
      }
    }),
  )
  await until('messages', () => answered > 100)
  const fast = hub.client(hub.adminToken)
  for (let n = 0; n < 2; n++) {
    const before = answered
    const report = await fast.call(api.makeBackup)
    expect(report.messages).toBeGreaterThanOrEqual(before)
    // Sends continued meanwhile: the hub did not stop for its backup.
    expect(answered).toBeGreaterThan(before)
    expect(checkBackup(report.file)).toEqual(report)
  }
  enough.abort()
  await traffic
})

test('a backup that a stopping hub aborts rejects, is not reported as a failure, and leaves no file', async () => {
  const dataDir = tempDir('aborted')
  const [begun, program] = [join(dataDir, 'begun'), join(dataDir, 'copying.mjs')]
  writeFileSync(
    program,
    `import { writeFileSync } from 'node:fs'
    writeFileSync(${JSON.stringify(begun)}, '')
    setInterval(() => {}, 1000)`,
  )
  await using hub = openHub({ dataDir, onBug: () => {}, onStorageError: () => {} })
  const dir = join(dataDir, 'backups')
  const settings = { everyHours: null, keepNewest: 1, keepDays: 0, keepGiB: null, dir, logGiB: 1 }
  const onMade = vi.fn()
  const backups = new Backups({ hub, source: join(dataDir, 'hub.db'), settings, program, onMade })
  const making = backups.make()
  making.catch(() => {})
  await until('it copies', () => existsSync(begun))
  await backups.close()
  await expect(making).rejects.toThrow('The backup was aborted: the hub is stopping.')
  expect(onMade).not.toHaveBeenCalled()
  expect(readdirSync(dir)).toEqual([])
})

test('while another process copies the store, its database file does not change; afterwards checkpoints resume', async () => {
  const dataDir = tempDir('copied')
  const [source, begun, go] = ['hub.db', 'begun', 'go'].map(name => join(dataDir, name)) as [string, string, string]
  const program = join(dataDir, 'copying.mjs')
  writeFileSync(
    program,
    `import { existsSync, writeFileSync } from 'node:fs'
    writeFileSync(${JSON.stringify(begun)}, '')
    const look = setInterval(() => {
      if (!existsSync(${JSON.stringify(go)})) return
      clearInterval(look)
      console.log('copied')
      process.exitCode = 1
    }, 5)`,
  )
  await using hub = openHub({ dataDir, onBug: () => {}, onStorageError: () => {} })
  for (const name of ['ana', 'ben']) await hub.submit({ type: 'member.add', name, kind: 'machine' })
  await hub.submit({ type: 'settings.set', senderPercent: 100, reservePercent: 0 })
  const by = memberByName(hub.state.db, 'ana')!.id
  const body = 'long enough to take up room '.repeat(1000)
  // More than the write-ahead log holds before it is moved into the database.
  const fill = async () => {
    for (let left = 700; left > 0; left -= 50) {
      const sends = Array.from({ length: 50 }, () => ({
        type: 'message.send' as const,
        id: newMessageId(),
        by,
        to: ['ben'],
        body,
      }))
      await Promise.all(sends.map(send => hub.submit(send)))
    }
  }
  const settings = {
    everyHours: null,
    keepNewest: 1,
    keepDays: 0,
    keepGiB: null,
    dir: join(dataDir, 'backups'),
    logGiB: 1,
  }
  await using backups = new Backups({ hub, source, settings, program, onMade: () => {} })
  const making = backups.make()
  making.catch(() => {})
  await until('it copies', () => existsSync(begun))
  const { mtimeMs, size } = statSync(source)
  await fill()
  expect(statSync(source)).toMatchObject({ mtimeMs, size })
  expect(statSync(`${source}-wal`).size).toBeGreaterThan(checkpointPages * 4096)
  writeFileSync(go, '')
  await expect(making).rejects.toThrow('The backup failed')
  await fill()
  await until('the log was moved into the database', () => statSync(source).size > size)
})

test('a request during a backup gets that backup', async () => {
  const hub = await startHub()
  const client = hub.client(hub.adminToken)
  const reports = await Promise.all([1, 2, 3].map(() => client.call(api.makeBackup)))
  expect(new Set(reports.map(({ file }) => file)).size).toBe(1)
  expect(backupsOf(hub)).toHaveLength(1)
})

test('a backup does not release the lock of the hub on its store', async () => {
  const hub = await startHub()
  // Changing the journal mode needs exclusive access to the file. It would succeed after the loss of a single lock, and remove the log.
  const open = `new (require('node:sqlite').DatabaseSync)(process.argv[1], { timeout: 0 }).exec('pragma journal_mode = delete')`
  const other = () =>
    promisify(execFile)(hubNode, ['-e', open, join(hub.dataDir, 'hub.db')], { env: cleanEnv() }).then(
      () => 'opened',
      ({ stderr }) => (/database is locked/.test(stderr) ? 'locked' : stderr),
    )
  expect(await other()).toBe('locked')
  expect((await admin(hub, 'backup')).code).toBe(0)
  expect(await other()).toBe('locked')
})

test('a hub killed at any moment of a backup leaves no partial one, continues, and cleans up', async () => {
  const dataDir = join(tempDir('backup'), 'data')
  manyMessages(dataDir, 4000)
  const hub = await startHub({ dataDir })
  for (let round = 0; round < 3; round++) {
    const client = hub.client(hub.adminToken)
    const asked = client.call(api.makeBackup).catch(() => {})
    // The copying process starts in some 300 ms; then it copies, checks and syncs, and the hub renames.
    await until('the backup has begun', () => backupsOf(hub).some(name => name.endsWith('.part')))
    await delay(round * 200)
    await hub.stop('SIGKILL')
    await asked
    for (const name of backupsOf(hub).filter(name => name.endsWith('.db'))) {
      expect(checkBackup(join(hub.dataDir, 'backups', name))).toMatchObject({ messages: 4000 })
    }
    await hub.start()
  }
  // A copying process may end slightly after its hub; the next backup removes what it left.
  await until(
    'only whole backups are left',
    async () => {
      await hub.client(hub.adminToken).call(api.makeBackup)
      return backupsOf(hub).every(name => name.endsWith('.db'))
    },
    90_000,
  )
  const report = await hub.client(hub.adminToken).call(api.makeBackup)
  expect(checkBackup(report.file)).toMatchObject({ messages: 4000, members: 2 })
})

test('a hub that is stopped during a backup leaves no partial one', async () => {
  const dataDir = join(tempDir('backup'), 'data')
  manyMessages(dataDir, 4000)
  const hub = await startHub({ dataDir })
  const asked = hub.client(hub.adminToken).call(api.makeBackup)
  const refused = expect(asked).rejects.toMatchObject({ code: 'unavailable' })
  await until('the backup has begun', () => backupsOf(hub).length > 0)
  expect(await hub.stop()).toBe(0)
  await refused
  expect(backupsOf(hub)).toEqual([])
})

test('scheduled backups are made in turn, old ones are deleted, and other files in the directory stay', async () => {
  const dir = join(tempDir('backup'), 'elsewhere')
  mkdirSync(dir)
  writeFileSync(join(dir, 'hub-mine.db'), '')
  const hub = await startHub({ config: { backup: { everyHours: 0.0001, keepNewest: 2, keepDays: 0, dir } } })
  const made = () => readdirSync(dir).filter(name => /^hub-20.*\.db$/.test(name))
  const first = await until('there is a backup', () => made()[0], 90_000)
  await until(
    'the first is gone and two newer ones are there',
    () => !made().includes(first) && made().length === 2,
    90_000,
  )
  await hub.stop()
  expect(readdirSync(dir)).toContain('hub-mine.db')
  for (const name of made()) checkBackup(join(dir, name))
})

test('with null no backup is scheduled, and one that is requested is still made', async () => {
  const hub = await startHub({ config: { backup: null } })
  expect((await admin(hub, 'backup')).code).toBe(0)
  expect(backupsOf(hub)).toHaveLength(1)
})

test('the newest are kept, and the last one of each earlier day as space permits', () => {
  const at = (text: string) => ({ name: text, time: Date.parse(text), bytes: 2 ** 30 })
  const backups = [
    '2026-11-22T15:00:00Z',
    '2026-11-22T14:00:00Z',
    '2026-11-22T13:00:00Z',
    '2026-11-21T23:00:00Z',
    '2026-11-21T22:00:00Z',
    '2026-11-20T01:00:00Z',
    '2026-11-19T23:00:00Z',
  ].map(at)
  const gone = superfluous(backups, { keepNewest: 2, keepDays: 3 }, Infinity).map(({ name }) => name)
  expect(gone).toEqual(['2026-11-22T13:00:00Z', '2026-11-21T22:00:00Z', '2026-11-19T23:00:00Z'])
  expect(superfluous(backups, { keepNewest: 7, keepDays: 0 }, Infinity)).toEqual([])
  const left = (keepGiB: number) => {
    const gone = new Set(superfluous(backups, { keepNewest: 2, keepDays: 3, keepGiB }, Infinity))
    return backups.filter(backup => !gone.has(backup)).map(({ name }) => name.slice(8, 13))
  }
  expect(left(4)).toEqual(['22T15', '22T14', '21T23', '20T01'])
  expect(left(3)).toEqual(['22T15', '22T14', '21T23'])
  // The newest two stay, whatever their size.
  expect(left(0.5)).toEqual(['22T15', '22T14'])
})

test('backups dated in the future, made while a clock was wrong, neither displace the newest nor count as it', () => {
  const dir = tempDir('rotation')
  const now = Date.parse('2026-11-26T12:00:00.000Z')
  const hour = 3_600_000
  const future = Array.from({ length: 4 }, (_, n) => backupName(now + (400 * 24 + n) * hour))
  for (const name of future) writeFileSync(join(dir, name), '')
  const made: string[] = []
  for (let n = 5; n >= 0; n--) {
    made.push(backupName(now - n * hour))
    writeFileSync(join(dir, made.at(-1)!), '')
    rotate(dir, { keepNewest: 3, keepDays: 0 }, now - n * hour)
    expect(readdirSync(dir)).toContain(made.at(-1))
  }
  expect(readdirSync(dir).sort()).toEqual([...made.slice(-3), ...future].sort())
  expect(newestOf(backupsIn(dir), now)?.time).toBe(now)
  // With a clock that is far behind, all backups are from the future: none is removed.
  rotate(dir, { keepNewest: 1, keepDays: 0 }, 0)
  expect(readdirSync(dir)).toHaveLength(7)
  expect(newestOf(backupsIn(dir), 0)?.name).toBe(future.at(-1))
})

test('a target receives a copy, as a file or in a directory; nothing is overwritten', async () => {
  const hub = await startHub()
  const dir = tempDir('target')
  const file = join(dir, 'mine.db')
  expect(await admin(hub, 'backup', file)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`Backed up to ${file}\n`),
  })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const before = readFileSync(file)
  expect(await admin(hub, 'backup', file)).toMatchObject({ code: 1, stderr: expect.stringContaining('exists') })
  expect(readFileSync(file).equals(before)).toBe(true)
  expect((await admin(hub, 'backup', dir)).code).toBe(0)
  expect(readdirSync(dir).sort()).toEqual([backupsOf(hub).at(-1), 'mine.db'].sort())
  expect(await admin(hub, 'backup', join(dir, 'no/such'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no directory'),
  })
  expect(await run(['backup', '--verify', file], { node: hubNode })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/is good\.\nIt holds 0 members and 0 messages, 0 unread/),
  })
})

describe('a damaged backup is reported as invalid', () => {
  /** Creates a closed store, which is a single file like a backup. */
  function made(): string {
    const dir = tempDir('damaged')
    const state = new TestState(dir)
    const [alpha] = [state.member('alpha'), state.member('beta')]
    state.send(alpha, 'beta', 60, 'the quick brown walrus')
    state.state.close()
    return join(dir, 'hub.db')
  }
  const damages: [string, (file: string) => void][] = [
    ['one letter of a text', file => replaceBytes(file, 'walrus', 'walruz')],
    ['a page of it', file => writeFileSync(file, readFileSync(file).fill(0, 8192, 12_288))],
    ['its end', file => writeFileSync(file, readFileSync(file).subarray(0, -4096))],
    ['its head', file => writeFileSync(file, readFileSync(file).fill(0, 0, 100))],
  ]
  test.for(damages)('%s', async ([, damage]) => {
    const file = made()
    checkBackup(file)
    damage(file)
    expect(() => checkBackup(file)).toThrow(expect.objectContaining({ code: 'invalid' }))
    const shown = await run(['backup', '--verify', file], { node: hubNode })
    expect(shown).toMatchObject({ code: 1, stderr: expect.stringContaining('is not a good backup') })
  })

  test('a raw copy of a store with its log beside it is not a backup', () => {
    const file = made()
    copyFileSync(file, `${file}-wal`)
    expect(() => checkBackup(file)).toThrow(/raw copy/)
  })
})

test('metrics show age and size of the newest backup, and whether the last attempt succeeded', async () => {
  const hub = await startHub()
  const scrape = async () => (await raw(hub, { path: '/metrics', token: hub.adminToken })).text
  expect(await scrape()).not.toMatch(/^claude_net_backup_age_seconds /m)
  await hub.client(hub.adminToken).call(api.makeBackup)
  const after = await scrape()
  expect(Number(/^claude_net_backup_age_seconds (\S+)$/m.exec(after)?.[1])).toBeLessThan(60)
  expect(Number(/^claude_net_backup_size_bytes (\S+)$/m.exec(after)?.[1])).toBeGreaterThan(4096)
  expect(after).toMatch(/^claude_net_backup_last_result 1$/m)
  expect(after).toMatch(/^claude_net_backups_total\{result="good"\} 1$/m)

  // A file in place of the directory.
  rmSync(join(hub.dataDir, 'backups'), { recursive: true })
  writeFileSync(join(hub.dataDir, 'backups'), '')
  expect(await admin(hub, 'backup')).toMatchObject({ code: 1, stderr: expect.stringContaining('The backup failed') })
  expect(hub.log).toContain('a backup failed')
  rmSync(join(hub.dataDir, 'backups'))
  const failed = await scrape()
  expect(failed).toMatch(/^claude_net_backup_last_result 0$/m)
  expect(failed).toMatch(/^claude_net_backups_total\{result="failed"\} 1$/m)
})
