import { closeSync, openSync } from 'node:fs'
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { checkpointPages, openSqlite, type Use } from './open-sqlite.ts'
import { hasNoRoom, isUnreadable } from './sqlite-errors.ts'
import { Statements } from './statements.ts'
import { StoreFiles, StoreLost } from './store-files.ts'
import { View } from './view.ts'
import { WriteAheadLog } from './write-ahead-log.ts'

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
  readonly #statements: Statements
  readonly #log: WriteAheadLog
  #view: View | undefined
  /** How many pages the log has to hold before it is copied into the database. */
  #checkpointAt = checkpointPages
  readonly #files: StoreFiles
  readonly #use: Use
  #holds = 0
  /** Why what was committed is perhaps not on disk, and never will be for sure. */
  #notSynced: Error | undefined
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
      this.#sqlite = openSqlite(path, use, 'normal')
    } catch (error) {
      if (use !== 'store' || !hasNoRoom(error)) throw error
      // The index of the log, which other connections read too, had no room on the disk. In memory it has.
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

  /** The first row, or undefined. */
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
   * not those that were opened, or were written to by somebody else, and from then on `NotSynced` once a sync has failed.
   */
  transaction<T>(work: () => T): T {
    const result = this.#commit(work)
    if (this.#use === 'store') this.#syncNow()
    this.#files.acceptWritten()
    // What others have not settled stays unread until they have.
    if (this.#use === 'store' && !this.#view?.isPinned) this.#settled()
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
      const result = this.#commit(work)
      this.#files.acceptWritten()
      return result
    } catch (error) {
      this.#view?.unpin()
      throw error
    }
  }

  /** Brings what was committed to disk without holding up this thread. Rejects when the disk fails, or with `StoreLost`. */
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

  /** Brings what was committed to disk; this thread waits. Throws when the disk fails, or `StoreLost`. */
  settleNow(): void {
    this.#syncNow()
    this.#files.expectThere()
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

  #syncNow(): void {
    try {
      this.#log.syncNow()
    } catch (error) {
      this.#notSynced = error as Error
      throw error
    }
  }

  /** Nothing is committed behind what was perhaps not synced: a next sync that succeeds says nothing of the one that failed. */
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
      // What a commit that failed has left in the log is its own.
      else if (!(error instanceof StoreLost)) this.#files.remember()
      throw error
    }
  }

  /** What was committed is on disk: everyone may read it, and the log may be copied into the database. */
  #settled(): void {
    this.#view?.unpin()
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
    this.#view ??= new View(openSqlite(this.#path, 'reader', 'normal'))
    this.#view.pin()
  }

  /** Of the connection that queries read. */
  get #reading(): Statements {
    return this.#view?.isPinned && !this.#sqlite.isTransaction ? this.#view.statements : this.#statements
  }
}
