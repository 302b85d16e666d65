import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ClaudeNetError } from '../protocol/errors.ts'
import { adminTokenFile } from './admin-token.ts'
import { auditFile } from './reading/audit-lines.ts'
import { isStorageError } from './state/state.ts'
import { type Database, sqliteCode } from './state/store/database.ts'

/** Stores up to this many bytes are checked whole when a hub starts: that takes some tenths of a second. */
const maxCheckedBytes = 100 * 1024 * 1024

const restore = 'Keep a copy of the directory, then restore a backup into it.'

/**
 * Looks at a store before it is opened. Answers whether it is small enough to be checked whole. Throws when a hub has run in `dataDir` and its messages are gone: an empty store would be a new one, and nobody would be told.
 */
export function lookAtStore(dataDir: string, databaseFile: string): { shouldCheck: boolean } {
  const bytes = (name: string) => statSync(join(dataDir, name), { throwIfNoEntry: false })?.size ?? 0
  const size = bytes(databaseFile)
  if (size === 0 && bytes(auditFile) > 0 && existsSync(join(dataDir, adminTokenFile))) {
    throw new ClaudeNetError(
      'unavailable',
      `A hub has run in ${dataDir}, but ${databaseFile} is missing or empty.`,
      `${restore} To begin anew with nothing, remove ${adminTokenFile} too.`,
    )
  }
  return { shouldCheck: size <= maxCheckedBytes }
}

/** Throws when SQLite finds its file inconsistent. */
export function checkStore(db: Database): void {
  const { quick_check: found } = db.get<{ quick_check: string }>('pragma quick_check(1)')!
  if (found !== 'ok') throw isDamaged(found)
}

/** What kept a hub from opening its store, in words; an error that is none of the disk's, as it is. */
export function inWords(error: unknown, dataDir: string): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException
  const sqlite = sqliteCode(error)
  if (sqlite === 11 || sqlite === 26) return isDamaged(message) // SQLITE_CORRUPT, SQLITE_NOTADB
  if (!isStorageError(error) && !['EROFS', 'ENOSPC', 'EDQUOT', 'EIO', 'EACCES'].includes(code)) return error
  return new ClaudeNetError(
    'unavailable',
    `The store in ${dataDir} cannot be written: ${message}.`,
    `Is its disk full or read-only, or does it belong to another user? df ${dataDir}; ls -la ${dataDir}`,
  )
}

function isDamaged(found: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The store is damaged: ${found}.`, restore)
}
