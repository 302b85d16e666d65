import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ClaudeNetError } from '../protocol/errors.ts'
import { adminTokenFile } from './admin-token.ts'
import { auditFile } from './reading/audit-lines.ts'
import { isStorageError } from './state/state.ts'
import { inName, namesIn } from './state/store/backup-names.ts'
import { damagedStore, restoreHint } from './state/store/damage.ts'
import type { Database } from './state/store/database.ts'
import { damageOfLog } from './state/store/log-check.ts'
import { isDamage } from './state/store/sqlite-errors.ts'
import { StoreLost } from './state/store/store-files.ts'

/** Largest store that is checked completely when a hub starts, in bytes: that takes some tenths of a second. */
const maxCheckedBytes = 100 * 1024 * 1024

/**
 * Examines a store before it is opened. Returns whether it is small enough to be checked completely. Throws when a hub has run in `dataDir`
 * and its messages are gone: SQLite would silently begin an empty store. With `isShared` it does not, since the store is rebuilt from the
 * log. Throws too when the write-ahead log is damaged: SQLite would skip what was committed after the damage, and overwrite it.
 */
export function lookAtStore(dataDir: string, databaseFile: string, isShared = false): { shouldCheck: boolean } {
  const bytes = (name: string) => statSync(join(dataDir, name), { throwIfNoEntry: false })?.size ?? 0
  const size = bytes(databaseFile)
  const rescued = namesIn(dataDir)
    .filter(name => /^rescued-.*\.db$/.test(name))
    .sort()
    .at(-1)
  if (!isShared && size === 0 && bytes(auditFile) > 0 && existsSync(join(dataDir, adminTokenFile))) {
    throw new ClaudeNetError(
      'unavailable',
      `A hub has run in ${dataDir}, but ${databaseFile} is missing or empty.`,
      rescued
        ? `Its contents at that time are in ${join(dataDir, rescued)}: claude-net restore ${join(dataDir, rescued)} --data ${dataDir}`
        : `${restoreHint} To begin with an empty store, remove ${adminTokenFile} too.`,
    )
  }
  const found = damageOfLog(join(dataDir, databaseFile))
  if (found) throw damagedStore(found)
  return { shouldCheck: size <= maxCheckedBytes }
}

/** Throws when SQLite finds its file inconsistent. */
export function checkStore(db: Database): void {
  const { quick_check: found } = db.get<{ quick_check: string }>('pragma quick_check(1)')!
  if (found !== 'ok') throw damagedStore(found)
}

/**
 * Saves the messages of a store whose files were removed or replaced while the hub ran: they are gone once the process exits. Returns
 * sentences for the admin, or undefined if `lost` is another error.
 */
export function rescueStore(lost: unknown, db: Database, dataDir: string, databaseFile: string): string | undefined {
  if (!(lost instanceof StoreLost)) return undefined
  const name = `rescued-${inName(Date.now())}`
  const path = join(dataDir, `${name}.db`)
  const keepCopy = 'Keep a copy of the directory.'
  try {
    if (!db.rescue(lost, path)) {
      return lost.how === 'changed' ? `${keepCopy} If the hub does not start, restore a backup.` : 'Nothing is lost.'
    }
    const log = join(dataDir, `${databaseFile}-wal`)
    // SQLite would take the log of the old store for that of a new one beside it.
    if (existsSync(log)) renameSync(log, join(dataDir, `${name}.wal`))
    return `Its whole contents are in ${path}: claude-net restore ${path} --data ${dataDir}`
  } catch (error) {
    rmSync(path, { force: true })
    return `Its contents could not be saved (${(error as Error).message}). ${keepCopy} Restore a backup into it.`
  }
}

/** Returns a readable error for one that kept a hub from opening its store; an error unrelated to the disk is returned as it is. */
export function inWords(error: unknown, dataDir: string): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (isDamage(error)) return damagedStore(message)
  if (!isStorageError(error) && !['EROFS', 'ENOSPC', 'EDQUOT', 'EIO', 'EACCES'].includes(code)) return error
  return new ClaudeNetError(
    'unavailable',
    `The store in ${dataDir} cannot be written: ${message}.`,
    `Is its disk full or read-only, or does it belong to another user? df ${dataDir}; ls -la ${dataDir}`,
  )
}
