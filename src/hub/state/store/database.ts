import { chmodSync, closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { syncDirectory } from '../../../disk/replace-file.ts'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { StoreFiles, StoreLost } from './store-files.ts'
import { WriteAheadLog } from './write-ahead-log.ts'

/** SQLite before this version can corrupt a database in WAL mode (sqlite.org/wal.html#walresetbug). */
const oldestSafeVersion = '3.51.3'

/** Pages of 4 KiB in the write-ahead log before it is copied into the database: 16 MiB. */
const checkpointPages = 4000

/**
 * What a file is opened for. A `store` is the only copy of what it holds, and has one writer. A `reader` reads the store of another
 * thread while that writes. An `index` can be made anew from a store: a power cut may cost its last changes, but never leaves it
 * inconsistent.
 */
export type Use = 'store' | 'reader' | 'index'

/**
 * One SQLite file with the settings that durability needs, and its prepared statements.
 * Every statement is prepared once per text, so queries can stand where they are used.
 *
 * A store may be read while what was committed is not on disk yet: until it is, reads outside of a transaction go to a second
 * connection, whose snapshot was taken before. So nobody reads what a loss of power might undo, and nobody waits for the disk.
 */
export class Database implements Disposable {
  readonly #path: string
  readonly #sqlite: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #log: WriteAheadLog
  #view: View | undefined
  /** How many pages the log has to hold before it is copied into the database. */
  #checkpointAt = checkpointPages
  readonly #files: StoreFiles
  readonly #use: Use
  #holds = 0
  /** Whether a store can be read by this connection alone, because its disk was full when it was opened. */
  readonly isAlone: boolean = false
  /**
   * Called when SQLite could not read what is asked for; the error is thrown as well. Not in a transaction of a store: whoever writes it
   * tells.
   */
  onUnreadable: (error: unknown) => void = () => {}

  /**
   * Opens or creates `path`; see `Use`. Throws `unavailable` when a setting did not take: better no hub than one that forgets.
   */
  constructor(path: string, use: Use = 'store') {
    try {
      this.#sqlite = open(path, use, 'normal')
    } catch (error) {
      if (use !== 'store' || !hasNoRoom(error)) throw error
      // The index of the log, which other connections read too, had no room on the disk. In memory it has.
      this.#sqlite = open(path, use, 'exclusive')
      this.isAlone = true
    }
    this.#path = path
    this.#use = use
    this.#log = new WriteAheadLog(path)
    this.#files = new StoreFiles(path)
    this.#files.remember()
  }

  /** The first row, or undefined. */
  get<Row>(sql: string, ...params: SQLInputValue[]): Row | undefined {
    return this.#read(() => this.#reading(sql).get(...params)) as Row | undefined
  }

  all<Row>(sql: string, ...params: SQLInputValue[]): Row[] {
    return this.#read(() => this.#reading(sql).all(...params)) as Row[]
  }

  /** Runs one statement and answers how many rows it changed. */
  run(sql: string, ...params: SQLInputValue[]): number {
    return this.#write(() => Number(this.#prepare(sql).run(...params).changes))
  }

  /** Throws `StoreLost` when somebody else has removed, replaced or written to the files. */
  expectOwnFiles(): void {
    this.#files.expectUntouched()
  }

  /** Throws `StoreLost` when somebody else has removed or replaced the files; a reader's store is written to by others. */
  expectOpenFiles(): void {
    this.#files.expectThere()
  }

  /** Makes `name()` a condition for statements that may look at many rows: it always holds, or throws what `check` throws. */
  addCheck(name: string, check: () => void): void {
    this.#sqlite.function(name, () => {
      check()
      return 1
    })
  }

  /** Runs several statements without parameters, for migrations. */
  execute(sql: string): void {
    this.#write(() => this.#sqlite.exec(sql))
  }

  /**
   * Runs `work` in one transaction: all of it is on disk when this returns, or nothing of it. Throws `StoreLost` when the files are
   * not those that were opened, or were written to by somebody else.
   */
  transaction<T>(work: () => T): T {
    const result = this.#commit(work)
    if (this.#use === 'store') this.#log.syncNow()
    // What others have not settled stays unread until they have.
    if (this.#use === 'store' && !this.#view?.isPinned) this.#settled()
    else this.#files.expectThere()
    return result
  }

  /**
   * The same, but what `work` did is not on disk yet, and nobody reads it outside of a transaction, until `settle` or `settleNow` is
   * done. Nothing else is left unsettled meanwhile.
   */
  unsettledTransaction<T>(work: () => T): T {
    // Another connection cannot open the files.
    if (!this.isAlone) this.#pin()
    try {
      return this.#commit(work)
    } catch (error) {
      this.#view?.unpin()
      throw error
    }
  }

  /** Brings what was committed to disk without holding up this thread. Rejects when the disk fails, or with `StoreLost`. */
  async settle(): Promise<void> {
    if (this.isAlone) this.settleNow()
    else {
      await this.#log.sync()
      this.#settled()
    }
  }

  /** Brings what was committed to disk; this thread waits. Throws when the disk fails, or `StoreLost`. */
  settleNow(): void {
    this.#log.syncNow()
    this.#settled()
  }

  /** Runs `work` inside a transaction so that a throw undoes only what `work` did. */
  savepoint<T>(work: () => T): T {
    this.run('savepoint command')
    try {
      const result = work()
      this.run('release command')
      return result
    } catch (error) {
      if (this.#sqlite.isTransaction) {
        this.run('rollback to command')
        this.run('release command')
      }
      throw error
    }
  }

  /**
   * Leaves the database file alone until the answered function is called: commits go to the write-ahead log, which starts empty
   * and only grows, so that another process can copy the two. Nobody may be reading meanwhile: SQLite waits until they have done.
   */
  holdCheckpoints(): () => void {
    if (this.#holds++ === 0) {
      if (this.#view?.isPinned) this.settleNow()
      this.#write(() => this.#sqlite.exec('pragma wal_checkpoint(truncate)'))
    }
    let isHeld = true
    return () => {
      if (isHeld) this.#holds--
      isHeld = false
    }
  }

  /**
   * Saves what the open files hold, once `lost` says that they are no longer where they should be: into `path` when it is the
   * database that has no name any more, else into the database. Answers whether it is in `path`. Throws when there is no room for it.
   */
  rescue(lost: StoreLost, path: string): boolean {
    if (lost.how === 'changed') return false
    this.#view?.unpin()
    if (/-(wal|shm)$/.test(lost.file)) {
      this.#sqlite.exec('pragma wal_checkpoint(truncate)')
      return false
    }
    // SQLite fills an empty file: so it is nobody else's to read from the start.
    closeSync(openSync(path, 'wx', 0o600))
    this.#prepare('vacuum into ?').run(path)
    return true
  }

  /** Moves the write-ahead log into the database, unless this is a reader, and closes it, so that one file holds everything. */
  close(): void {
    if (!this.#sqlite.isOpen) return
    this.#view?.close()
    this.#log.close()
    try {
      if (this.#use !== 'reader') this.#sqlite.exec('pragma wal_checkpoint(truncate)')
    } finally {
      this.#statements.clear()
      this.#sqlite.close()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #read<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      const isTold = this.#use === 'store' && this.#sqlite.isTransaction
      if (isUnreadable(error) && !isTold) this.onUnreadable(error)
      throw error
    }
  }

  /** Outside of a transaction each statement is one, and what it wrote, also before it failed, is known as our own. */
  #write<T>(write: () => T): T {
    try {
      return write()
    } finally {
      if (!this.#sqlite.isTransaction) this.#files.remember()
    }
  }

  #commit<T>(work: () => T): T {
    this.#files.expectUntouched()
    this.run('begin immediate')
    try {
      const result = work()
      this.#prepare('commit').run()
      this.#files.remember()
      return result
    } catch (error) {
      // SQLite itself rolls back on some errors (a full disk, an I/O error); a second rollback would hide the first error.
      if (this.#sqlite.isTransaction) this.run('rollback')
      // What a commit that failed has left in the log is its own.
      else if (!(error instanceof StoreLost)) this.#files.remember()
      throw error
    }
  }

  /** What was committed is on disk: everyone may read it, and the log may be copied into the database. */
  #settled(): void {
    this.#view?.unpin()
    this.#files.expectThere()
    if (this.#holds > 0 || this.isAlone) return
    const { pages } = this.#log
    if (pages < this.#checkpointAt) {
      if (pages < checkpointPages) this.#checkpointAt = checkpointPages
      return
    }
    this.#write(() => this.#sqlite.exec('pragma wal_checkpoint(passive)'))
    // Where another reader has kept some of it from being copied, not at once again.
    this.#checkpointAt = pages + checkpointPages / 4
  }

  #pin(): void {
    this.#view ??= new View(open(this.#path, 'reader', 'normal'))
    this.#view.pin()
  }

  #reading(sql: string): StatementSync {
    return this.#view?.isPinned && !this.#sqlite.isTransaction ? this.#view.prepare(sql) : this.#prepare(sql)
  }

  #prepare(sql: string): StatementSync {
    return prepared(this.#sqlite, this.#statements, sql)
  }
}

/** A second connection to a store, which reads what it held when it was pinned. */
class View {
  readonly #sqlite: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  isPinned = false

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  pin(): void {
    if (this.isPinned) return
    this.prepare('begin').run()
    // The first read takes the snapshot.
    this.prepare('select 1 from sqlite_schema limit 1').get()
    this.isPinned = true
  }

  unpin(): void {
    if (this.isPinned) this.prepare('commit').run()
    this.isPinned = false
  }

  prepare(sql: string): StatementSync {
    return prepared(this.#sqlite, this.#statements, sql)
  }

  close(): void {
    this.#statements.clear()
    this.#sqlite.close()
    this.isPinned = false
  }
}

function open(path: string, use: Use, locking: 'normal' | 'exclusive'): DatabaseSync {
  const readOnly = use === 'reader'
  const sqlite = new DatabaseSync(path, { readOnly, enableForeignKeyConstraints: true, timeout: 5000 })
  try {
    if (use === 'store') secureDurability(sqlite, locking)
    else if (use === 'index') makeIndex(sqlite)
    set(sqlite, 'trusted_schema', 0)
    if (readOnly) return sqlite
    chmodSync(path, 0o600)
    syncDirectory(dirname(path))
    return sqlite
  } catch (error) {
    sqlite.close()
    throw error
  }
}

function secureDurability(sqlite: DatabaseSync, locking: 'normal' | 'exclusive'): void {
  // One process owns the file (see hub/lock.ts), but one of its threads reads it beside this one: see hub/reading/. Set before
  // anything is read, `exclusive` keeps the log's index in memory, so that a store whose log was left by a kill opens on a full disk.
  set(sqlite, 'locking_mode', locking)
  const { version } = sqlite.prepare('select sqlite_version() as version').get() as { version: string }
  if (compareVersions(version, oldestSafeVersion) < 0) {
    throw refuse(`SQLite ${version} can corrupt its write-ahead log`, `Run the hub on Node 24.`)
  }
  set(sqlite, 'journal_mode', 'wal')
  // NORMAL: SQLite syncs around a checkpoint. The file is the only copy of an acknowledged message, so `transaction` and `settle` sync
  // the log after each commit, before anyone is answered or reads what it did.
  set(sqlite, 'synchronous', 1)
  // Of its own accord, only where a second reader is impossible.
  set(sqlite, 'wal_autocheckpoint', locking === 'normal' ? 0 : checkpointPages)
  set(sqlite, 'foreign_keys', 1)
}

function makeIndex(sqlite: DatabaseSync): void {
  set(sqlite, 'locking_mode', 'exclusive')
  set(sqlite, 'journal_mode', 'wal')
  set(sqlite, 'synchronous', 1)
}

function set(sqlite: DatabaseSync, name: string, wanted: string | number): void {
  sqlite.exec(`pragma ${name} = ${wanted}`)
  const row = sqlite.prepare(`pragma ${name}`).get()
  const found = row && Object.values(row)[0]
  if (found !== wanted) {
    throw refuse(`SQLite's ${name} is ${found}, not ${wanted}`, 'Put the data directory on a local disk.')
  }
}

function prepared(sqlite: DatabaseSync, statements: Map<string, StatementSync>, sql: string): StatementSync {
  let statement = statements.get(sql)
  if (!statement) {
    statement = sqlite.prepare(sql)
    statements.set(sql, statement)
  }
  return statement
}

/** Whether SQLite gave up for want of space: nothing was written, reads go on, and writes will again once there is room. */
export function isDiskFull(error: unknown): boolean {
  return sqliteCode(error) === 13
}

/** Whether a file could not be opened, it may be for want of space: SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
export function hasNoRoom(error: unknown): boolean {
  return [10, 13, 14].includes(sqliteCode(error) ?? 0)
}

/** Whether SQLite found its file inconsistent (SQLITE_CORRUPT, SQLITE_NOTADB). */
export function isDamage(error: unknown): boolean {
  return [11, 26].includes(sqliteCode(error) ?? 0)
}

/** Whether a read failed at some rows, while others may be readable: damage, or a disk that does not return a block (SQLITE_IOERR). */
export function isUnreadable(error: unknown): boolean {
  return isDamage(error) || sqliteCode(error) === 10
}

/** The primary result code of an error that SQLite raised (sqlite.org/rescode.html), or undefined. */
export function sqliteCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : undefined
}

function refuse(what: string, hint: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The store is not safe to use: ${what}.`, hint)
}

/** Below, equal to or above 0 as version `a` is before, the same as or after `b`. */
function compareVersions(a: string, b: string): number {
  const [as, bs] = [a.split('.').map(Number), b.split('.').map(Number)]
  const at = as.findIndex((part, index) => part !== bs[index])
  return at < 0 ? as.length - bs.length : as[at]! - (bs[at] ?? 0)
}
