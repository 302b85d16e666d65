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

/** Stores up to this many bytes are checked whole when a hub starts: that takes some tenths of a second. */
const maxCheckedBytes = 100 * 1024 * 1024

/**
 * Looks at a store before it is opened. Answers whether it is small enough to be checked whole. Throws when a hub has run in `dataDir` and its messages are gone: an empty store would be a new one, and nobody would be told. That
 * of a hub that shares a log is made anew from it. Throws too when its write-ahead log is damaged: SQLite would pass over what was committed
 * behind the damage, and write over it.
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
        ? `What was open when it was lost is in ${join(dataDir, rescued)}: claude-net restore ${join(dataDir, rescued)} --data ${dataDir}`
        : `${restoreHint} To begin anew with nothing, remove ${adminTokenFile} too.`,
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
 * Saves the messages of a store whose files were removed or replaced under the running hub: once the process ends they are gone.
 * Returns what an admin should know, in sentences; undefined when the error is another one.
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
    // A log of the old store beside a new one would be taken for the new one's.
    if (existsSync(log)) renameSync(log, join(dataDir, `${name}.wal`))
    return `All that it held is in ${path}: claude-net restore ${path} --data ${dataDir}`
  } catch (error) {
    rmSync(path, { force: true })
    return `What it held could not be saved (${(error as Error).message}). ${keepCopy} Restore a backup into it.`
  }
}

/** What kept a hub from opening its store, in words; an error that is none of the disk's, as it is. */
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
