import { cpSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../../../test/support/random.ts'
import { tempDir } from '../../../../test/support/temp.ts'
import { lookAtStore } from '../../damage.ts'
import { damageOfLog, mostUnsynced } from './log-check.ts'

const headerBytes = 32
const frameBytes = 24 + 4096

/** The store of a process that was killed after `commits` commits of about `length` bytes, in a directory of its own. */
function killed(
  commits: number,
  prepare: (db: DatabaseSync) => void = () => {},
  length = 900,
): { path: string; log: string } {
  const path = join(tempDir('log-check'), 'hub.db')
  const live = join(tempDir('log-check'), 'hub.db')
  const db = new DatabaseSync(live)
  onTestFinished(() => db.close())
  db.exec('pragma journal_mode = wal; pragma synchronous = 1; pragma wal_autocheckpoint = 0')
  db.exec('create table note (text); pragma wal_checkpoint(truncate)')
  prepare(db)
  for (let n = 0; n < commits; n++) db.exec(`insert into note values ('${n} ${'x'.repeat(length)}')`)
  for (const suffix of ['', '-wal']) cpSync(live + suffix, path + suffix)
  return { path, log: `${path}-wal` }
}

/** Returns the offsets at which the commits of a log end, in bytes. */
function ends(log: string): number[] {
  const bytes = readFileSync(log)
  const found: number[] = []
  for (let at = headerBytes; at + frameBytes <= bytes.length; at += frameBytes)
    if (bytes.readUInt32BE(at + 4) !== 0) found.push(at + frameBytes)
  return found
}

function flip(file: string, at: number, bit: number): void {
  const bytes = readFileSync(file)
  bytes[at]! ^= 1 << bit
  writeFileSync(file, bytes)
}

/** Returns the number of notes that SQLite finds in a copy of the store. */
function notes(path: string): number {
  const copy = join(tempDir('log-check'), 'hub.db')
  for (const suffix of ['', '-wal']) if (existsSync(path + suffix)) cpSync(path + suffix, copy + suffix)
  const db = new DatabaseSync(copy)
  try {
    return db.prepare('select count(*) as n from note').get()!.n as number
  } finally {
    db.close()
  }
}

test('a complete, an empty, a missing and a truncated log are no damage', () => {
  const { path, log } = killed(30)
  expect(damageOfLog(path)).toBeUndefined()
  for (let bytes = statSync(log).size; bytes > 0; bytes -= 1777) {
    truncateSync(log, bytes)
    expect(damageOfLog(path)).toBeUndefined()
  }
  truncateSync(log, 0)
  expect(damageOfLog(path)).toBeUndefined()
  rmSync(log)
  expect(damageOfLog(path)).toBeUndefined()
})

test('any flipped bit is detected if more commits follow it than a loss of power can leave unsynced; SQLite does not report it', () => {
  const { path, log } = killed(40)
  const whole = readFileSync(log)
  const firstOfLast = ends(log).at(-(mostUnsynced + 3))!
  const random = seededRandom(11)
  const headers = [0, 1].flatMap(frame => Array.from({ length: 24 }, (_, at) => headerBytes + frame * frameBytes + at))
  const header = Array.from({ length: headerBytes }, (_, at) => at)
  const pages = Array.from({ length: 150 }, () => Math.floor(random() * firstOfLast))
  for (const at of [...header, ...headers, ...pages]) {
    const bit = Math.floor(random() * 8)
    flip(log, at, bit)
    expect(damageOfLog(path), `bit ${bit} of byte ${at}`).toMatch(
      at < headerBytes ? /header of its log/ : /frame \d+ of its log/,
    )
    writeFileSync(log, whole)
  }
  flip(log, 5 * frameBytes, 3)
  expect(notes(path)).toBeLessThan(10)
})

test('damage in the last commits, which may be unsynced, counts as a loss of power', () => {
  const { path, log } = killed(20)
  const whole = readFileSync(log)
  const commits = ends(log)
  for (let behind = 0; behind < mostUnsynced + 4; behind++) {
    // In the page of the last frame of the commit.
    flip(log, commits.at(-1 - behind)! - 100, 2)
    if (behind <= mostUnsynced) expect(damageOfLog(path)).toBeUndefined()
    else expect(damageOfLog(path)).toContain(`at least ${behind} commits`)
    writeFileSync(log, whole)
  }
})

test('frames from before the log was restarted do not count as lost commits', () => {
  const { path, log } = killed(3, db => {
    for (let n = 0; n < 60; n++) db.exec(`insert into note values ('old ${n} ${'x'.repeat(900)}')`)
    db.exec('pragma wal_checkpoint(restart)')
  })
  expect(ends(log).length).toBeGreaterThan(50)
  expect(notes(path)).toBe(63)
  expect(damageOfLog(path)).toBeUndefined()
  flip(log, headerBytes + 500, 1)
  expect(damageOfLog(path)).toBeUndefined()
})

test('frames that an earlier loss of power left under newer commits are not added to those of the last one', () => {
  const { path, log } = killed(12, undefined, 40_000)
  // The first of so many unsynced commits is torn.
  const end = ends(log).at(-1 - mostUnsynced)!
  flip(log, end + 30, 1)
  expect(damageOfLog(path)).toBeUndefined()
  const before = notes(path)
  const db = new DatabaseSync(path)
  db.exec('pragma wal_autocheckpoint = 0')
  for (let n = 0; n < 8; n++) db.exec(`insert into note values ('short ${n}')`)
  // SQLite copies the log into the database when the last connection is closed: the files are kept as a kill leaves them.
  const [file, rest] = [readFileSync(path), readFileSync(log)]
  db.close()
  writeFileSync(path, file)
  writeFileSync(log, rest)
  rmSync(`${path}-shm`, { force: true })
  expect(notes(path)).toBe(before + 8)
  expect(damageOfLog(path)).toBeUndefined()
  const newer = ends(log).filter(at => at > end)
  expect(newer.length).toBeGreaterThan(8 + 3)
  flip(log, newer[8 - mostUnsynced]! - 100, 1)
  expect(notes(path)).toBe(before + 8 - mostUnsynced)
  expect(damageOfLog(path)).toBeUndefined()
})

test('a log in the other byte order is checked in the same way', () => {
  const { path, log } = killed(30)
  inOtherOrder(log)
  expect(notes(path)).toBe(30)
  expect(damageOfLog(path)).toBeUndefined()
  flip(log, 4 * frameBytes, 6)
  expect(damageOfLog(path)).toContain('of its log')
})

test('a hub does not start with a damaged log, gives a hint, and does not change it', () => {
  const { path, log } = killed(30)
  flip(log, 4 * frameBytes, 6)
  const before = readFileSync(log)
  expect(() => lookAtStore(join(path, '..'), 'hub.db')).toThrow(
    expect.objectContaining({
      code: 'unavailable',
      message: expect.stringMatching(/^The store is damaged: frame \d+ of its log/),
      hint: expect.stringContaining('restore a backup'),
    }),
  )
  expect(readFileSync(log)).toEqual(before)
})

/** Writes the checksums of a log as a machine of the other byte order does. */
function inOtherOrder(log: string): void {
  const bytes = readFileSync(log)
  const isBig = (bytes.readUInt32BE(0) & 1) === 0
  bytes.writeUInt32BE((bytes.readUInt32BE(0) ^ 1) >>> 0, 0)
  let [a, b] = [0, 0]
  const add = (from: number, to: number) => {
    for (let at = from; at < to; at += 8) {
      const [one, two] = isBig
        ? [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
        : [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)]
      a = (a + one + b) >>> 0
      b = (b + two + a) >>> 0
    }
  }
  const store = (at: number) => {
    bytes.writeUInt32BE(a, at)
    bytes.writeUInt32BE(b, at + 4)
  }
  add(0, 24)
  store(24)
  for (let at = headerBytes; at + frameBytes <= bytes.length; at += frameBytes) {
    add(at, at + 8)
    add(at + 24, at + frameBytes)
    store(at + 16)
  }
  writeFileSync(log, bytes)
}
