import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { syncDirectory } from '../../../disk/replace-file.ts'
import { ClaudeNetError } from '../../../protocol/errors.ts'

/** SQLite before this version can corrupt a database in WAL mode (sqlite.org/wal.html#walresetbug). */
const oldestSafeVersion = '3.51.3'

/** Pages of 4 KiB in the write-ahead log before it is copied into the database: 16 MiB. */
const checkpointPages = 4000

/**
 * One SQLite file with the settings that durability needs, and its prepared statements.
 * Every statement is prepared once per text, so queries can stand where they are used.
 */
export class Database implements Disposable {
  readonly #sqlite: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** Opens or creates `path`. Throws `unavailable` when a setting did not take: better no hub than one that forgets. */
  constructor(path: string) {
    this.#sqlite = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 })
    try {
      this.#secureDurability()
      chmodSync(path, 0o600)
      syncDirectory(dirname(path))
    } catch (error) {
      this.#sqlite.close()
      throw error
    }
  }

  /** The first row, or undefined. */
  get<Row>(sql: string, ...params: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...params) as Row | undefined
  }

  all<Row>(sql: string, ...params: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...params) as Row[]
  }

  /** Runs one statement and answers how many rows it changed. */
  run(sql: string, ...params: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...params).changes)
  }

  /** Runs several statements without parameters, for migrations. */
  execute(sql: string): void {
    this.#sqlite.exec(sql)
  }

  /** Runs `work` in one transaction: all of it is on disk when this returns, or nothing of it. */
  transaction<T>(work: () => T): T {
    this.run('begin immediate')
    try {
      const result = work()
      this.run('commit')
      return result
    } catch (error) {
      // SQLite itself rolls back on some errors (a full disk, an I/O error); a second rollback would hide the first error.
      if (this.#sqlite.isTransaction) this.run('rollback')
      throw error
    }
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
   * and only grows, so that another process can copy the two.
   */
  holdCheckpoints(): () => void {
    this.#sqlite.exec('pragma wal_checkpoint(truncate)')
    this.#sqlite.exec('pragma wal_autocheckpoint = 0')
    return () => {
      if (this.#sqlite.isOpen) this.#sqlite.exec(`pragma wal_autocheckpoint = ${checkpointPages}`)
    }
  }

  /** Moves the write-ahead log into the database and closes it, so that one file holds everything. */
  close(): void {
    if (!this.#sqlite.isOpen) return
    try {
      this.#sqlite.exec('pragma wal_checkpoint(truncate)')
    } finally {
      this.#statements.clear()
      this.#sqlite.close()
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#sqlite.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #secureDurability(): void {
    // One process owns the file (see hub/lock.ts), so no statement needs to take and give back file locks: a read costs a
    // few microseconds instead of some fifteen. Set before anything is read, it keeps the log's index in memory, so that a store
    // whose log was left by a kill opens on a full disk.
    this.#setting('locking_mode', 'exclusive')
    const { version } = this.get<{ version: string }>('select sqlite_version() as version')!
    if (compareVersions(version, oldestSafeVersion) < 0) {
      throw refuse(`SQLite ${version} can corrupt its write-ahead log`, `Run the hub on Node 24.`)
    }
    this.#setting('journal_mode', 'wal')
    // FULL: the file is the only copy of an acknowledged message, so every commit is synced before it is answered.
    this.#setting('synchronous', 2)
    this.#setting('trusted_schema', 0)
    this.#setting('wal_autocheckpoint', checkpointPages)
    this.#setting('foreign_keys', 1)
  }

  #setting(name: string, wanted: string | number): void {
    this.#sqlite.exec(`pragma ${name} = ${wanted}`)
    const row = this.#sqlite.prepare(`pragma ${name}`).get()
    const found = row && Object.values(row)[0]
    if (found !== wanted) {
      throw refuse(`SQLite's ${name} is ${found}, not ${wanted}`, 'Put the data directory on a local disk.')
    }
  }
}

/** Whether SQLite gave up for want of space: nothing was written, reads go on, and writes will again once there is room. */
export function isDiskFull(error: unknown): boolean {
  return sqliteCode(error) === 13
}

/** The primary result code of an error that SQLite raised (sqlite.org/rescode.html), or undefined. */
export function sqliteCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : undefined
}

function refuse(what: string, hint: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The store is not safe to use: ${what}.`, hint)
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
