import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { fingerprintAs, shapeOfBackup } from '../src/hub/keeping/check-backup.ts'
import { checkTail, findTail, openTail } from '../src/hub/keeping/check-tail.ts'
import { replayTail } from '../src/hub/keeping/replay-tail.ts'
import { drill, restore } from '../src/hub/keeping/restore.ts'
import type { Command } from '../src/hub/state/commands.ts'
import type { BackupReport } from '../src/protocol/backup.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { busyHour, busyMembers } from './support/busy-hour.ts'
import { FollowedHub } from './support/followed-hub.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

// Each backup starts a process.
vi.setConfig({ testTimeout: 120_000 })

const day = 86_400_000

/** What a store holds, without what belongs to one hub alone. */
function fingerprintOfStore(file: string): string {
  return fingerprintAs(file, shapeOfBackup(file))
}

/** Restores into an empty directory; answers what its store holds then, and where it ends. */
function restoredTo(backup: BackupReport, log: string, to: Parameters<typeof restore>[2] & object) {
  const dir = join(tempDir('restored'), 'data')
  mkdirSync(dir)
  const { tail } = restore(backup.file, dir, { log, ...to })
  return { fingerprint: fingerprintOfStore(join(dir, 'hub.db')), seq: tail!.seq, entries: tail!.entries }
}

/** The same in a copy of the backup, which is changed in place. */
function replayedTo({ file, epoch, seq: base }: BackupReport, log: string, seq: number) {
  const copy = join(tempDir('replayed'), 'hub.db')
  copyFileSync(file, copy)
  const tail = findTail(log, { epoch, seq: base })!
  const handle = openTail(tail)
  const { entries } = replayTail({ handle, file: tail }, copy, { seq }, { compare: false })
  closeSync(handle)
  return { fingerprint: fingerprintOfStore(copy), entries }
}

async function members(hub: FollowedHub): Promise<void> {
  for (const command of busyMembers) await hub.do(command)
}

function send(by: number, to: string[], body = 'hello'): Command {
  return { type: 'message.send', id: newMessageId(), by, to, body }
}

test('restored to any of 50 places of a busy time, a backup and its tail are what the live hub then had', async () => {
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
    // Commits go on while it is made.
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
    // All of a restore for some, and for the others what is particular to a tail.
    const { fingerprint, entries } =
      index < 8 ? restoredTo(backup, hub.logTo, { to: { seq } }) : replayedTo(backup, hub.logTo, seq)
    expect(fingerprint, `at entry ${seq}`).toBe(live.get(seq))
    applied += entries
  }
  expect(applied).toBeGreaterThan(1000)
  // Neither start needed another backup: the tail went on where it was.
  expect(hub.made).toHaveLength(3)
  for (const [index, backup] of hub.made.entries()) {
    const { tail } = drill(backup.file, { to: 'end', log: hub.logTo })
    expect(tail!.compared).toEqual(hub.made.slice(index + 1, index + 2).map(({ seq }) => seq))
  }
})

test('a tail goes up to a time, all of it, or an entry; what lies elsewhere is refused and nothing is changed', async () => {
  const hub = new FollowedHub()
  await members(hub)
  await hub.followed()
  const [backup] = hub.made as [BackupReport]
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
  expect(() => to({ seq: end + 1 })).toThrow(`goes to entry ${end} only`)
  expect(() => to({ seq: backup.seq - 1 })).toThrow('that is later')
  expect(() => to({ time: at[0]! - 60_001 })).toThrow('that is later')
  expect(() => restoredTo(backup, tempDir('empty'), { to: 'end' })).toThrow('There is no tail')
})

test('a restored store has an epoch of its own, and the tail of before does not go on with it', async () => {
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
  // The history of before is not this one's: its tail is not removed with the rotation either.
  expect(hub.tailFiles).toHaveLength(2)
})

test('a tail is for its owner alone, lies behind the commits, and goes when its backup does', async () => {
  const hub = new FollowedHub()
  await members(hub)
  await hub.followed()
  const first = findTail(hub.logTo, hub.made[0]!)!
  expect(statSync(first).mode & 0o777).toBe(0o600)
  expect(statSync(hub.logTo).mode & 0o777).toBe(0o700)
  await hub.do(send(1, ['ben'], 'the text of before'))
  await hub.followed()
  expect(readFileSync(first, 'utf8')).toContain('the text of before')
  await hub.backups.make()
  await hub.followed()
  expect(checkTail(first)).toMatchObject({ isEnded: true, entries: 1 })
  rmSync(hub.made[0]!.file)
  await hub.backups.make()
  await until(
    'its tail is gone, and the other two are there',
    () => !existsSync(first) && hub.tailFiles.length === 2,
    30_000,
  )
})

test('what stands before a damaged entry can be used; a clean end is gone on from, and one with a gap only with a new backup', async () => {
  const hub = new FollowedHub()
  await members(hub)
  await hub.followed()
  const [backup] = hub.made as [BackupReport]
  for (const body of ['one', 'two']) await hub.do(send(1, ['ben'], body))
  await hub.close()
  const file = findTail(hub.logTo, backup)!
  const whole = readFileSync(file)
  writeFileSync(file, whole.toString().replace('two', 'tWo'))
  expect(() => restoredTo(backup, hub.logTo, { to: 'end' })).toThrow(
    expect.objectContaining({ code: 'invalid', hint: expect.stringContaining(`--to ${backup.seq + 1} `) }),
  )
  expect(restoredTo(backup, hub.logTo, { to: { seq: backup.seq + 1 } })).toMatchObject({ entries: 1 })

  // The end of a line that was never finished.
  writeFileSync(file, Buffer.concat([whole, Buffer.from('57 2a8c30')]))
  hub.start()
  await hub.do(send(1, ['ben'], 'three'))
  await hub.followed()
  expect(checkTail(file)).toMatchObject({ entries: 3, tornBytes: 0 })
  expect(hub.made).toHaveLength(1)
  await hub.close()
  truncateSync(file, readFileSync(file).lastIndexOf('{"entry"'))
  hub.start()
  await hub.followed()
  expect(hub.made).toHaveLength(2)
  expect(findTail(hub.logTo, hub.made[1]!)).not.toBe(file)
})

test('a disk that takes no tail stops nothing and is told; once it takes one there is a new backup with a tail', async () => {
  const dir = join(tempDir('no-disk'), 'tails')
  // A file where the directory should be.
  writeFileSync(dir, '')
  const hub = new FollowedHub({ dir })
  await members(hub)
  await until('it is told', () => hub.tails.status().trouble !== null, 30_000)
  await hub.do(send(1, ['ben']))
  expect(hub.tails.status()).toMatchObject({ seq: null, behind: 5, file: null })
  rmSync(dir)
  await hub.followed()
  expect(hub.tails.status()).toMatchObject({ behind: 0, behindMs: 0, trouble: null })
  expect(hub.troubles.at(-1)).toBeUndefined()
  // It is removed while it is written.
  rmSync(join(dir, hub.tailFiles[0]!))
  const before = hub.made.length
  await hub.do(send(1, ['ben'], 'into a file that is gone'))
  await until('another is made', () => hub.made.length > before, 30_000)
  await hub.followed()
  const to = restoredTo(hub.made.at(-1)!, dir, { to: 'end' })
  expect(to.fingerprint).toBe(hub.fingerprint())
})

test('a tail that is half as large as it may get is followed by another backup', async () => {
  const hub = new FollowedHub({ maxBytes: 20_000 })
  await members(hub)
  await hub.followed()
  for (let n = 0; n < 4; n++) await hub.do(send(1, ['ben'], 'x'.repeat(3000)))
  await until('there is another backup', () => hub.made.length > 1, 30_000)
  await hub.followed()
  expect(hub.tails.status().bytes).toBeLessThan(10_000)
})
