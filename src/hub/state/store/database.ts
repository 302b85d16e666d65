import { closeSync, openSync } from 'node:fs'
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { checkpointPages, openSqlite, type Use } from './open-sqlite.ts'
import { hasNoRoom, isUnreadable } from './sqlite-errors.ts'
import { Statements } from './statements.ts'
import { StoreFiles, StoreLost } from './store-files.ts'
import { View } from './view.ts'
import { WriteAheadLog } from './write-ahead-log.ts'

/**
 * One SQLite file with the settings that durability requires, and its prepared statements. Each statement is prepared once per text, so
 * queries can be written where they are used.
 *
 * A store may be read while a commit is not on disk yet: until it is, reads outside of a transaction use a second connection, whose
 * snapshot was taken before. So nothing is read that a loss of power might undo, and no reader waits for the disk.
 */
export class Database implements Disposable {
  readonly #path: string
  readonly #sqlite: DatabaseSync
  readonly #statements: Statements
  readonly #log: WriteAheadLog
  #view: View | undefined
  /** Number of pages in the log at which it is copied into the database. */
  #checkpointAt = checkpointPages
  readonly #files: StoreFiles
  readonly #use: Use
  #holds = 0
  /** The failed sync after which it is not known whether the last commits are on disk. */
  #notSynced: Error | undefined
  /** Whether no other connection can read the store, because its disk was full when it was opened. */
  readonly isAlone: boolean = false
  /**
   * Called when SQLite could not read the requested rows; the error is thrown as well. Not called in a transaction of a store, whose writer
   * reports it.
   */
  onUnreadable: (error: unknown) => void = () => {}

  /**
   * Opens or creates `path`; see `Use`. Throws `unavailable` when a setting did not take effect: better no hub than one that loses
   * messages.
   */
  constructor(path: string, use: Use = 'store') {
    try {
      this.#sqlite = openSqlite(path, use, 'normal')
    } catch (error) {
      if (use !== 'store' || !hasNoRoom(error)) throw error
      // The index of the log, which other connections read too, did not fit on the disk. It is kept in memory instead.
      this.#sqlite = openSqlite(path, use, 'exclusive')
      this.isAlone = true
    }
    this.#statements = new Statements(this.#sqlite)
    this.#path = path
    this.#use = use
    this.#log = new WriteAheadLog(path)
    this.#files = new StoreFiles(path)
    this.#files.remember()
  }

  /** Returns the first row, or undefined. */
  get<Row>(sql: string, ...params: SQLInputValue[]): Row | undefined {
    return this.#read(() => this.#reading.get<Row>(sql, ...params))
  }

  all<Row>(sql: string, ...params: SQLInputValue[]): Row[] {
    return this.#read(() => this.#reading.all<Row>(sql, ...params))
  }

  /** Runs one statement and returns how many rows it changed. */
  run(sql: string, ...params: SQLInputValue[]): number {
    return this.#write(() => this.#statements.run(sql, ...params))
  }

  /** Throws `StoreLost` when another program has removed, replaced or written to the files. */
  expectOwnFiles(): void {
    this.#files.expectUntouched()
  }

  /**
   * Throws `StoreLost` when another program has removed or replaced the files; for a reader, whose store is written by another connection.
   */
  expectOpenFiles(): void {
    this.#files.expectThere()
  }

  /** Makes `name()` a condition for statements that may read many rows. It is always true; what `check` throws ends the statement. */
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
   * Runs `work` in one transaction, which is on disk when this returns. A throw undoes all of it. Throws `StoreLost` when the files are not
   * those that were opened, or were written to by another program, and `NotSynced` from the first failed sync on.
   */
  transaction<T>(work: () => T): T {
    const result = this.#commit(work)
    if (this.#use === 'store') this.#syncNow()
    this.#files.acceptWritten()
    // Commits that are not settled yet stay invisible until they are.
    if (this.#use === 'store' && !this.#view?.isPinned) this.#settled()
    return result
  }

  /**
   * Does the same, but the commit is neither on disk nor visible outside of a transaction until `settle` or `settleNow` is done. There is
   * at most one unsettled transaction at a time.
   */
  unsettledTransaction<T>(work: () => T): T {
    // A second connection could not open the files.
    if (!this.isAlone) this.#pin()
    try {
      const result = this.#commit(work)
      this.#files.acceptWritten()
      return result
    } catch (error) {
      this.#view?.unpin()
      throw error
    }
  }

  /** Syncs the commits without blocking this thread. Rejects when the disk fails, or with `StoreLost`. */
  async settle(): Promise<void> {
    if (this.isAlone) this.settleNow()
    else {
      try {
        await this.#log.sync()
      } catch (error) {
        this.#notSynced = error as Error
        throw error
      }
      this.#files.expectThere()
      this.#settled()
    }
  }

  /** Syncs the commits in this thread. Throws when the disk fails, or `StoreLost`. */
  settleNow(): void {
    this.#syncNow()
    this.#files.expectThere()
    this.#settled()
  }

  /** Runs `work` in a savepoint inside a transaction: a throw undoes only the changes of `work`. */
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
   * Stops changes of the database file until the returned function is called: commits go to the write-ahead log, which starts empty and
   * only grows, so that another process can copy both. SQLite first waits until open reads have ended.
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
   * Saves the content of the open files after `lost`: into `path` when the database file has lost its name, otherwise into the database
   * file. Returns whether it is in `path`. Throws when there is no room for it.
   */
  rescue(lost: StoreLost, path: string): boolean {
    if (lost.how === 'changed') return false
    this.#view?.unpin()
    if (/-(wal|shm)$/.test(lost.file)) {
      this.#sqlite.exec('pragma wal_checkpoint(truncate)')
      return false
    }
    // SQLite fills this empty file, which is thus unreadable for other users from the start.
    closeSync(openSync(path, 'wx', 0o600))
    this.#statements.run('vacuum into ?', path)
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
      const isReported = this.#use === 'store' && this.#sqlite.isTransaction
      if (isUnreadable(error) && !isReported) this.onUnreadable(error)
      throw error
    }
  }

  /** Runs a writing statement. Outside of a transaction it is one itself, and its writes, even those of a failed one, count as our own. */
  #write<T>(write: () => T): T {
    try {
      return write()
    } finally {
      if (!this.#sqlite.isTransaction) this.#files.remember()
    }
  }

  #syncNow(): void {
    try {
      this.#log.syncNow()
    } catch (error) {
      this.#notSynced = error as Error
      throw error
    }
  }

  /**
   * Runs `work` and commits. Throws after a failed sync: a later sync that succeeds would not prove that the failed one's data is on disk.
   */
  #commit<T>(work: () => T): T {
    if (this.#notSynced) throw this.#notSynced
    this.#files.expectUntouched()
    this.run('begin immediate')
    try {
      const result = work()
      this.#statements.run('commit')
      return result
    } catch (error) {
      // SQLite itself rolls back on some errors (a full disk, an I/O error); a second rollback would hide the first error.
      if (this.#sqlite.isTransaction) this.run('rollback')
      // A failed commit may have written to the log, which counts as our own write.
      else if (!(error instanceof StoreLost)) this.#files.remember()
      throw error
    }
  }

  /** Called once all commits are on disk: they become visible, and the log may be copied into the database. */
  #settled(): void {
    this.#view?.unpin()
    if (this.#holds > 0 || this.isAlone) return
    const { pages } = this.#log
    if (pages < this.#checkpointAt) {
      if (pages < checkpointPages) this.#checkpointAt = checkpointPages
      return
    }
    this.#write(() => this.#sqlite.exec('pragma wal_checkpoint(passive)'))
    // When a reader has kept part of it from being copied, the next try comes later.
    this.#checkpointAt = pages + checkpointPages / 4
  }

  #pin(): void {
    this.#view ??= new View(openSqlite(this.#path, 'reader', 'normal'))
    this.#view.pin()
  }

  /**
   * Whether a query outside of a transaction reads what the last transaction of this connection left: true for a store whose commits are all
   * settled.
   */
  get readsOwnCommits(): boolean {
    return this.#use === 'store' && !this.#view?.isPinned && !this.#sqlite.isTransaction
  }

  /** Statements of the connection that queries read. */
  get #reading(): Statements {
    return this.#view?.isPinned && !this.#sqlite.isTransaction ? this.#view.statements : this.#statements
  }
}
