import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncDirectory } from '../../../disk/replace-file.ts'
import { ClaudeNetError } from '../../../protocol/errors.ts'

/** SQLite before this version can corrupt a database in WAL mode (sqlite.org/wal.html#walresetbug). */
const oldestSafeVersion = '3.51.3'

/** Pages of 4 KiB in the write-ahead log at which it is copied into the database: 16 MiB. */
export const checkpointPages = 4000

/**
 * Purpose of an open file. A `store` is the only copy of its content, and has one writer. A `reader` reads the store of another thread
 * while that writes. An `index` can be rebuilt from a store: a loss of power may cost its last changes, but never leaves it inconsistent.
 */
export type Use = 'store' | 'reader' | 'index'

/**
 * Opens or creates `path` with the settings that its use requires, and verifies them. Throws `unavailable` when one did not take effect.
 */
export function openSqlite(path: string, use: Use, locking: 'normal' | 'exclusive'): DatabaseSync {
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
  // One process owns the file (see hub/lock.ts), but another of its threads reads it, too: see hub/reading/. If set before the first read,
  // `exclusive` keeps the log's index in memory, so that a store whose log was left by a kill opens on a full disk.
  set(sqlite, 'locking_mode', locking)
  const { version } = sqlite.prepare('select sqlite_version() as version').get() as { version: string }
  if (compareVersions(version, oldestSafeVersion) < 0) {
    throw refuse(`SQLite ${version} can corrupt its write-ahead log`, `Run the hub on Node 24.`)
  }
  set(sqlite, 'journal_mode', 'wal')
  // NORMAL: SQLite syncs only around a checkpoint. The file is the only copy of an acknowledged message, so `transaction` and `settle` sync
  // the log after each commit, before its outcome is returned or its rows are read.
  set(sqlite, 'synchronous', 1)
  // SQLite checkpoints by itself only where a second reader is impossible.
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

function refuse(what: string, hint: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The store is not safe to use: ${what}.`, hint)
}

/** Returns a number below, equal to or above 0 when version `a` is before, the same as or after `b`. */
function compareVersions(a: string, b: string): number {
  const [as, bs] = [a.split('.').map(Number), b.split('.').map(Number)]
  const at = as.findIndex((part, index) => part !== bs[index])
  return at < 0 ? as.length - bs.length : as[at]! - (bs[at] ?? 0)
}
