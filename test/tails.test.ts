import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test, vi } from 'vitest'
import { checkBackup } from '../src/hub/keeping/check-backup.ts'
import { checkTail, findTail, openTail, scanTail } from '../src/hub/keeping/check-tail.ts'
import { drill, restore } from '../src/hub/keeping/restore.ts'
import { superfluous } from '../src/hub/keeping/rotation.ts'
import { encodeRecord, readTail } from '../src/hub/keeping/tail-format.ts'
import type { Command } from '../src/hub/state/commands.ts'
import type { BackupReport } from '../src/protocol/backup.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { busyHour, busyMembers } from './support/busy-hour.ts'
import { FollowedHub } from './support/followed-hub.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { replayedTo, restoredTo } from './support/tails.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

// Each backup starts a process.
vi.setConfig({ testTimeout: 180_000 })

const day = 86_400_000

async function members(hub: FollowedHub): Promise<void> {
  for (const command of busyMembers) await hub.do(command)
}

/** Creates the members, and a backup that contains them: the one made at the start may be older. */
async function membersInBackup(hub: FollowedHub): Promise<BackupReport> {
  await members(hub)
  await hub.followed()
  const backup = await hub.backups.make()
  await hub.followed()
  return backup
}

function send(by: number, to: string[], body = 'hello'): Command {
  return { type: 'message.send', id: newMessageId(), by, to, body }
}

test('restored to any of 50 positions of a busy hour, a backup and its tail equal the live hub at that time', async () => {
  const random = seededRandom(printedSeed())
  const hub = new FollowedHub()
  const live = new Map<number, string>()
  await members(hub)
  await hub.followed()
  hub.onCommit = () => {
    if (random() < 0.3) live.set(hub.hub.state.position.seq, hub.fingerprint())
  }
  const commands = busyHour(random)
  let making: Promise<unknown> | undefined
  for (let round = 1; round <= 400; round++) {
    const batch = Array.from({ length: random() < 0.2 ? 6 : 1 }, () => commands.next().value as Command)
    await Promise.all(batch.map(command => hub.do(command).catch(error => expect(error.code).not.toBe('internal'))))
    hub.now += Math.floor(random() * 3_600_000)
    if (random() < 0.02) hub.offset = Math.floor((random() - 0.5) * 10 * day)
    if (round === 90) await hub.restart()
    // Commits continue during the backup.
    if (round === 150) making = hub.backups.make()
    if (round === 230) await making
    if (round === 270) await hub.backups.make()
    if (round === 330) await hub.restart()
  }
  await hub.followed()
  expect(live.size).toBeGreaterThanOrEqual(50)

  const places = [...live.keys()].sort(() => random() - 0.5).slice(0, 50)
  let applied = 0
  for (const [index, seq] of places.entries()) {
    const backup = hub.made.findLast(report => report.seq <= seq)!
    // A complete restore for some, and only the replay of the tail for the others.
    const { fingerprint, entries } =
      index < 8 ? restoredTo(backup, hub.logTo, { to: { seq } }) : replayedTo(backup, hub.logTo, seq)
    expect(fingerprint, `at entry ${seq}`).toBe(live.get(seq))
    applied += entries
  }
  expect(applied).toBeGreaterThan(1000)
  // Neither restart needed another backup: the tail was continued.
  expect(hub.made).toHaveLength(3)
  for (const [index, backup] of hub.made.entries()) {
    const { tail } = drill(backup.file, { to: 'end', log: hub.logTo })
    expect(tail!.compared).toEqual(hub.made.slice(index + 1, index + 2).map(({ seq }) => seq))
  }
})

test('a tail is applied up to a time, an entry or its end; a position outside is refused and nothing is changed', async () => {
  const hub = new FollowedHub()
  const backup = await membersInBackup(hub)
  const at: number[] = []
  for (let n = 0; n < 5; n++) {
    hub.now += 60_000
    at.push(hub.now)
    await hub.do(send(1, ['ben'], `message ${n}`))
  }
  const end = hub.hub.state.position.seq
  const live = hub.fingerprint()
  await hub.followed()
  const to = (target: Parameters<typeof restoredTo>[2]['to']) => restoredTo(backup, hub.logTo, { to: target })
  expect(to('end')).toMatchObject({ seq: end, entries: 5, fingerprint: live })
  expect(to({ time: at[2]! })).toMatchObject({ seq: end - 2, entries: 3 })
  expect(to({ time: at[2]! - 1 })).toMatchObject({ seq: end - 3, entries: 2 })
  expect(to({ time: at[4]! + day })).toMatchObject({ seq: end })
  expect(to({ seq: backup.seq })).toMatchObject({ seq: backup.seq, entries: 0, fingerprint: backup.fingerprint })
  expect(() => to({ seq: end + 1 })).toThrow(`ends at entry ${end}`)
  expect(() => to({ seq: backup.seq - 1 })).toThrow('which is later')
  expect(() => to({ time: at[0]! - 60_001 })).toThrow('which is later')
  expect(() => restoredTo(backup, tempDir('empty'), { to: 'end' })).toThrow('There is no tail')
})

test('a restored store has a new epoch, and the earlier tail is not continued by it', async () => {
  const hub = new FollowedHub()
  await members(hub)
  await hub.followed()
  await hub.do(send(1, ['ben']))
  await hub.followed()
  await hub.close()
  const { epoch, seq } = hub.hub.state.position
  restore(hub.made[0]!.file, hub.dataDir, { to: 'end', log: hub.logTo })
  hub.start()
  expect(hub.hub.state.position.seq).toBe(seq)
  expect(hub.hub.state.seqOf({ epoch, seq })).toBeUndefined()
  await hub.followed()
  expect(hub.made).toHaveLength(2)
  // The previous history is another one, so the rotation does not remove its tail.
  expect(hub.tailFiles).toHaveLength(2)
})

test('a tail is accessible only to its owner, follows the commits, and is deleted with its backup', async () => {
  const hub = new FollowedHub()
  const backup = await membersInBackup(hub)
  const first = findTail(hub.logTo, backup)!
  expect(statSync(first).mode & 0o777).toBe(0o600)
  expect(statSync(hub.logTo).mode & 0o777).toBe(0o700)
  await hub.do(send(1, ['ben'], 'the text of before'))
  await hub.followed()
  expect(readFileSync(first, 'utf8')).toContain('the text of before')
  await hub.backups.make()
  await hub.followed()
  expect(checkTail(first)).toMatchObject({ isEnded: true, entries: 1 })
  rmSync(backup.file)
  await hub.backups.make()
  await until(
    'its tail is gone, and the other three are there',
    () => !existsSync(first) && hub.tailFiles.length === 3,
    90_000,
  )
})

test('the part before a damaged entry is usable; a tail with a clean end is continued, and one with a gap requires a new backup', async () => {
  const hub = new FollowedHub()
  const backup = await membersInBackup(hub)
  for (const body of ['one', 'two']) await hub.do(send(1, ['ben'], body))
  await hub.close()
  const file = findTail(hub.logTo, backup)!
  const whole = readFileSync(file)
  writeFileSync(file, whole.toString().replace('two', 'tWo'))
  expect(() => restoredTo(backup, hub.logTo, { to: 'end' })).toThrow(
    expect.objectContaining({ code: 'invalid', hint: expect.stringContaining(`--to ${backup.seq + 1} `) }),
  )
  expect(restoredTo(backup, hub.logTo, { to: { seq: backup.seq + 1 } })).toMatchObject({ entries: 1 })

  // An incomplete line at the end.
  writeFileSync(file, Buffer.concat([whole, Buffer.from('57 2a8c30')]))
  hub.start()
  await hub.do(send(1, ['ben'], 'three'))
  await hub.followed()
  expect(checkTail(file)).toMatchObject({ entries: 3, tornBytes: 0 })
  expect(hub.made).toHaveLength(2)
  await hub.close()
  truncateSync(file, readFileSync(file).lastIndexOf('{"entry"'))
  hub.start()
  await hub.followed()
  expect(hub.made).toHaveLength(3)
  expect(findTail(hub.logTo, hub.made[2]!)).not.toBe(file)
})

test('a disk that cannot store a tail stops nothing and is reported; once it can, there is a new backup with a tail', async () => {
  const dir = join(tempDir('no-disk'), 'tails')
  // A file in place of the directory.
  writeFileSync(dir, '')
  const hub = new FollowedHub({ dir })
  await members(hub)
  await until('it is reported', () => hub.tails.status().trouble !== null, 90_000)
  await hub.do(send(1, ['ben']))
  expect(hub.tails.status()).toMatchObject({ seq: null, behind: 5, file: null })
  rmSync(dir)
  await hub.followed()
  expect(hub.tails.status()).toMatchObject({ behind: 0, behindMs: 0, trouble: null })
  expect(hub.troubles.at(-1)).toBeUndefined()
  // The file is removed while it is written.
  rmSync(join(dir, hub.tailFiles[0]!))
  const before = hub.made.length
  await hub.do(send(1, ['ben'], 'into a file that is gone'))
  await until('another is made', () => hub.made.length > before, 90_000)
  await hub.followed()
  const to = restoredTo(hub.made.at(-1)!, dir, { to: 'end' })
  expect(to.fingerprint).toBe(hub.fingerprint())
})

test('a tail of half its maximum size is followed by another backup', async () => {
  const hub = new FollowedHub({ maxBytes: 20_000 })
  await members(hub)
  await hub.followed()
  for (let n = 0; n < 4; n++) await hub.do(send(1, ['ben'], 'x'.repeat(3000)))
  await until('there is another backup', () => hub.made.length > 1, 90_000)
  await hub.followed()
  expect(hub.tails.status().bytes).toBeLessThan(10_000)
})

test('a text that retention deleted leaves the tails when the rotation removes the backup before it', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    const hub = new FollowedHub({}, { keepNewest: 2, keepDays: 1 })
    await members(hub)
    await hub.followed()
    await hub.do(send(1, ['ben'], 'a secret walrus'))
    const [message] = hub.hub.state.db.all<{ id: string }>('select id from message')
    await hub.do({ type: 'inbox.ack', by: 2, ids: [message!.id] })
    await hub.do({ type: 'settings.set', keepTextDays: 1 })
    hub.now += 2 * day
    await hub.do({ type: 'clock.tick' })
    expect(hub.hub.state.db.get('select body from message')).toEqual({ body: '' })
    const withText = () =>
      hub.tailFiles.filter(name => readFileSync(join(hub.logTo, name), 'utf8').includes('a secret walrus'))
    await hub.followed()
    expect(withText()).toHaveLength(1)
    for (let hour = 1; hour <= 2; hour++) {
      expect(withText(), `after ${hour - 1} h`).toHaveLength(1)
      vi.setSystemTime(Date.now() + 3_600_000)
      await hub.backups.make()
      await hub.followed()
    }
    await until('it is in no tail', () => withText().length === 0, 90_000)
    expect(hub.tailFiles).toHaveLength(2)
  } finally {
    vi.useRealTimers()
  }
})

test.for([
  [{ keepNewest: 24, keepDays: 7 }, 1, 7 * 24],
  [{ keepNewest: 24, keepDays: 7 }, 24, 24 * 24],
  [{ keepNewest: 100, keepDays: 2 }, 1, 100],
  [{ keepNewest: 1, keepDays: 0 }, 6, 6],
] as const)(
  'with %j and a backup every %d h a tail is deleted at most %d h after its first entry',
  ([rotation, everyHours, hours]) => {
    const start = Date.parse('2026-03-01T00:30:00.000Z')
    let kept: { name: string; time: number; bytes: number }[] = []
    let longest = 0
    for (let hour = 0; hour < 60 * 24; hour += everyHours) {
      const now = start + hour * 3_600_000
      kept = [{ name: `${hour}`, time: now, bytes: 1 }, ...kept]
      const gone = new Set(superfluous(kept, rotation, now))
      for (const { time } of gone) longest = Math.max(longest, (now - time) / 3_600_000)
      kept = kept.filter(backup => !gone.has(backup))
    }
    expect(longest).toBeLessThanOrEqual(hours)
    expect(longest).toBeGreaterThanOrEqual(hours - 24)
  },
)

test('the chain of outcomes is in the report of a backup and in its tail, and a tail with different results is detected', async () => {
  const hub = new FollowedHub()
  await members(hub)
  await hub.followed()
  await hub.do(send(1, ['ben']))
  await hub.backups.make()
  await hub.followed()
  const [first, second] = hub.made as [BackupReport, BackupReport]
  expect(second.outcomes).toBe(hub.hub.state.position.outcomes)
  expect(second.outcomes).not.toBe(first.outcomes)
  expect(checkBackup(second.file)).toMatchObject({ outcomes: second.outcomes, fingerprint: second.fingerprint })
  const tail = findTail(hub.logTo, first)!
  expect(drill(first.file, { to: 'end', log: hub.logTo }).tail).toMatchObject({ compared: [second.seq] })

  const handle = openTail(tail)
  const records = [...readTail(handle)]
  closeSync(handle)
  let crc = 0
  const lines = records.map(record => {
    const other = 'matches' in record ? { matches: { ...record.matches, outcomes: first.outcomes } } : record
    const encoded = encodeRecord(other, crc)
    crc = encoded.crc
    return encoded.line
  })
  writeFileSync(tail, Buffer.concat(lines))
  expect(() => drill(first.file, { to: 'end', log: hub.logTo })).toThrow('its entries had other results')
})

test('a tail with an entry of a newer program is restored up to there, with an explanation', async () => {
  const hub = new FollowedHub()
  await members(hub)
  await hub.followed()
  await hub.do(send(1, ['ben']))
  await hub.followed()
  await hub.close()
  const [backup] = hub.made as [BackupReport]
  const tail = findTail(hub.logTo, backup)!
  const handle = openTail(tail)
  const scan = scanTail(handle, tail)
  const { crc } = lastOf(readTail(handle))
  closeSync(handle)
  const command = { type: 'message.teleport' } as unknown as Command
  appendFileSync(tail, encodeRecord({ entry: { v: 1, seq: scan.seq + 1, time: 0, command } }, crc).line)
  expect(() => restoredTo(backup, hub.logTo, { to: 'end' })).toThrow(
    expect.objectContaining({ code: 'invalid', hint: expect.stringContaining('Upgrade') }),
  )
  expect(restoredTo(backup, hub.logTo, { to: { seq: scan.seq } })).toMatchObject({ seq: scan.seq })
})

test('a command that threw is in the tail, and is skipped when the tail is applied', async () => {
  const hub = new FollowedHub()
  await members(hub)
  await hub.followed()
  const bugs: unknown[] = []
  hub.onBug = error => bugs.push(error)
  const broken = { type: 'message.teleport' } as unknown as Command
  await Promise.allSettled([hub.do(send(1, ['ben'], 'one')), hub.do(broken), hub.do(send(1, ['ben'], 'two'))])
  expect(bugs).toHaveLength(1)
  await hub.backups.make()
  await hub.followed()
  const [first, second] = hub.made as [BackupReport, BackupReport]
  expect(drill(first.file, { to: 'end', log: hub.logTo }).tail).toMatchObject({ entries: 3, compared: [second.seq] })
  expect(restoredTo(first, hub.logTo, { to: 'end' }).fingerprint).toBe(hub.fingerprint())
})

/** Returns the result of a generator. */
function lastOf<T>(all: Generator<unknown, T>): T {
  for (;;) {
    const { value, done } = all.next()
    if (done) return value
  }
}

test('scheduled messages that wait, and the fate of those that ended, are in a backup and its tail', async () => {
  const hub = new FollowedHub()
  await members(hub)
  const later = (body: string, minutes: number, to = ['ben']): Command & { id: string } => ({
    ...{ type: 'message.send', id: newMessageId(), by: 1, to, body, at: hub.now + minutes * 60_000 },
  })
  const [waits, goes, cancelled, partly] = [
    later('waits', 60),
    later('goes', 5),
    later('cancelled', 5),
    later('partly', 10, ['ben', 'cat']),
  ]
  for (const each of [waits, goes, cancelled, partly]) await hub.do(each)
  await hub.followed()
  const backup = await hub.backups.make()
  await hub.followed()
  const live = new Map<number, string>()
  hub.onCommit = () => live.set(hub.hub.state.position.seq, hub.fingerprint())
  await hub.do({ type: 'later.cancel', by: 1, id: cancelled.id })
  await hub.do({ type: 'member.policy', by: 3, inbound: 'refuse' })
  hub.now += 15 * 60_000
  const { db } = hub.hub.state
  await until('the notice to the sender', () => db.get('select 1 from message where sender = 0'))
  expect(db.all('select body from message where sender = 1 order by seq')).toEqual([
    { body: 'goes' },
    { body: 'partly' },
  ])
  expect(db.all('select id from later where ended is null')).toEqual([{ id: waits.id }])
  await hub.followed()
  expect(live.size).toBeGreaterThanOrEqual(4)
  for (const [seq, fingerprint] of live)
    expect(replayedTo(backup, hub.logTo, seq).fingerprint, `at entry ${seq}`).toBe(fingerprint)
  expect(restoredTo(backup, hub.logTo, { to: 'end' })).toMatchObject({ seq: hub.hub.state.position.seq })

  checkBackup(backup.file)
  const copy = join(tempDir('later'), 'hub.db')
  copyFileSync(backup.file, copy)
  using damaged = new DatabaseSync(copy)
  damaged.exec(`update later set content = replace(content, 'waits', 'wants')`)
  damaged.close()
  expect(() => checkBackup(copy)).toThrow(`the scheduled message ${waits.id} is not what was sent`)
})
