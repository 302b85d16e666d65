import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../../../test/support/temp.ts'
import { isStorageError, State } from '../state.ts'
import { Database } from './database.ts'
import { isDiskFull, sqliteCode } from './sqlite-errors.ts'

function open(path = join(tempDir('database'), 'hub.db')): Database {
  const db = new Database(path)
  onTestFinished(() => db.close())
  return db
}

/** The error that `work` throws. */
function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown.')
}

test.each([
  ['journal_mode', 'wal'],
  ['synchronous', 1],
  ['foreign_keys', 1],
  ['locking_mode', 'normal'],
  ['trusted_schema', 0],
])('an open database has %s = %s', (setting, value) => {
  const row = open().get<Record<string, unknown>>(`pragma ${setting}`)!
  expect(Object.values(row)).toEqual([value])
})

test('a database is not opened if a setting that durability requires has no effect', () => {
  // A database in memory has no write-ahead log.
  expect(thrownBy(() => new Database(':memory:'))).toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('journal_mode is memory, not wal'),
  })
})

test('the file is readable by its owner only', () => {
  const path = join(tempDir('database'), 'hub.db')
  open(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a file that is not a database is refused and not changed', () => {
  const path = join(tempDir('database'), 'hub.db')
  writeFileSync(
    path,
    'no database, but somebody’s text that is long enough to be taken for a header of one. '.repeat(20),
  )
  const before = statSync(path).size
  expect(sqliteCode(thrownBy(() => new State(path)))).toBe(26)
  expect(statSync(path).size).toBe(before)
})

test('after a close the write-ahead log is merged into the database file', () => {
  const dir = tempDir('database')
  const path = join(dir, 'hub.db')
  const db = new Database(path)
  db.execute('create table note (text text)')
  db.run('insert into note values (?)', 'kept')
  db.close()
  db.close()
  expect(() => statSync(`${path}-wal`)).toThrow('ENOENT')
  expect(open(path).all('select text from note')).toEqual([{ text: 'kept' }])
})

test('a transaction that throws is rolled back, and the next one commits', () => {
  const db = open()
  db.execute('create table note (text text)')
  const work = () =>
    db.transaction(() => {
      db.run('insert into note values (?)', 'lost')
      throw new Error('halfway')
    })
  expect(work).toThrow('halfway')
  db.transaction(() => db.run('insert into note values (?)', 'kept'))
  expect(db.all('select text from note')).toEqual([{ text: 'kept' }])
})

test('a savepoint that throws undoes its own part of the transaction', () => {
  const db = open()
  db.execute('create table note (text text)')
  db.transaction(() => {
    db.run('insert into note values (?)', 'before')
    const work = () =>
      db.savepoint(() => {
        db.run('insert into note values (?)', 'lost')
        throw new Error('halfway')
      })
    expect(work).toThrow('halfway')
    db.savepoint(() => db.run('insert into note values (?)', 'after'))
  })
  expect(db.all('select text from note')).toEqual([{ text: 'before' }, { text: 'after' }])
})

test('a text keeps its zero bytes and every other character', () => {
  const db = open()
  db.execute('create table note (text text)')
  const text = 'a\0b\u{10ffff}\u2028\r\n'
  db.run('insert into note values (?)', text)
  expect(db.get('select text from note')).toEqual({ text })
})

test('a full disk is distinguished from other storage errors; a violated constraint is none', () => {
  const db = open()
  db.execute('create table note (text text not null)')
  db.execute('pragma max_page_count = 2')
  const full = thrownBy(() => db.run('insert into note values (?)', 'x'.repeat(100_000)))
  expect([isDiskFull(full), isStorageError(full)]).toEqual([true, true])
  db.execute('pragma query_only = 1')
  const readOnly = thrownBy(() => db.run('insert into note values (?)', 'x'))
  expect([isDiskFull(readOnly), isStorageError(readOnly)]).toEqual([false, true])
  db.execute('pragma query_only = 0')
  const rule = thrownBy(() => db.run('insert into note values (?)', null))
  expect([isDiskFull(rule), isStorageError(rule)]).toEqual([false, false])
  expect(isStorageError(new Error('other'))).toBe(false)
})

test('a store with the schema of a newer program is refused, with a hint', () => {
  const path = join(tempDir('database'), 'hub.db')
  new State(path).close()
  const raw = new DatabaseSync(path)
  raw.exec('pragma user_version = 999')
  raw.close()
  expect(thrownBy(() => new State(path))).toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('schema 999'),
    hint: expect.stringContaining('newer program'),
  })
})

test('a new store is before its first entry and has no epoch, also after it is opened again', () => {
  const path = join(tempDir('database'), 'hub.db')
  const first = new State(path)
  const { position } = first
  first.close()
  const again = new State(path)
  onTestFinished(() => again.close())
  expect(again.position).toEqual(position)
  expect(position).toEqual({ epoch: '', seq: 0, time: 0, steady: 0, offset: 0, hash: '', outcomes: '' })
})

test('an unsettled commit is visible only inside transactions until it is settled', async () => {
  const db = open()
  db.execute('create table note (text text)')
  const notes = () => db.all<{ text: string }>('select text from note order by rowid').map(({ text }) => text)
  db.unsettledTransaction(() => db.run('insert into note values (?)', 'one'))
  expect(notes()).toEqual([])
  // What others write for themselves meanwhile is on disk, and shows nothing of it either.
  db.transaction(() => {
    expect(notes()).toEqual(['one'])
    db.run('insert into note values (?)', 'two')
  })
  expect(notes()).toEqual([])
  await db.settle()
  expect(notes()).toEqual(['one', 'two'])
  db.unsettledTransaction(() => db.run('insert into note values (?)', 'three'))
  db.settleNow()
  expect(notes()).toEqual(['one', 'two', 'three'])
})

test('an unsettled transaction that throws is rolled back, and later commits are visible', () => {
  const db = open()
  db.execute('create table note (text text)')
  const work = () =>
    db.unsettledTransaction(() => {
      db.run('insert into note values (?)', 'lost')
      throw new Error('halfway')
    })
  expect(work).toThrow('halfway')
  db.transaction(() => db.run('insert into note values (?)', 'kept'))
  expect(db.all('select text from note')).toEqual([{ text: 'kept' }])
})

test('the write-ahead log is checkpointed and restarted when it is full', async () => {
  const path = join(tempDir('database'), 'hub.db')
  const db = open(path)
  db.execute('create table note (bytes blob)')
  // A hundred pages each: more than twice what the log may hold.
  for (let n = 0; n < 100; n++) {
    db.unsettledTransaction(() => db.run('insert into note values (zeroblob(400000))'))
    await db.settle()
  }
  expect(statSync(`${path}-wal`).size).toBeLessThan(20 * 1024 * 1024)
  expect(statSync(path).size).toBeGreaterThan(20 * 1024 * 1024)
})
