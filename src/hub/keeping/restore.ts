import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { syncDirectory, syncFile } from '../../disk/replace-file.ts'
import type { BackupReport } from '../../protocol/backup.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { databaseFile } from '../hub.ts'
import { lockDataDirectory } from '../lock.ts'
import { State } from '../state/state.ts'
import { inName } from '../state/store/backup-names.ts'
import { checkBackup, expectOneFile, fingerprintAs, shapeOfBackup } from './check-backup.ts'
import { type Carried, startNewHistory } from './new-history.ts'

/** A store while it is being prepared, and once it is whole and only has to take its place. */
const preparing = 'hub.db.restoring'
const prepared = 'hub.db.restored'

export interface Restored extends Carried {
  backup: BackupReport
  /** Where the store of before is now; null when there was none. */
  replaced: string | null
}

/**
 * Makes the backup `file` the store of `dataDir`, with a history of its own from there on. A kill leaves the old store or the
 * new one: what is still to be done once the new one is whole is done by the next start of the hub, or the next restore.
 * Throws `conflict` while a hub owns the directory, `invalid` for a file that is no good backup; nothing was changed then.
 */
export function restore(file: string, dataDir: string): Restored {
  expectOneFile(file)
  const lock = lockFor(dataDir)
  try {
    finishRestore(dataDir)
    const part = join(dataDir, preparing)
    for (const suffix of ['', '-journal']) rmSync(part + suffix, { force: true })
    copyFileSync(file, part)
    chmodSync(part, 0o600)
    const backup = checkBackup(part, file)
    const carried = startNewHistory(part, join(dataDir, databaseFile))
    giveToOwnerOf(dataDir, part, join(dataDir, 'hub.lock'))
    syncFile(part)
    renameSync(part, join(dataDir, prepared))
    syncDirectory(dataDir)
    return { backup, ...carried, replaced: finishRestore(dataDir) }
  } catch (error) {
    for (const suffix of ['', '-journal']) rmSync(join(dataDir, preparing + suffix), { force: true })
    throw error
  } finally {
    lock.release()
  }
}

/**
 * Puts a prepared store in its place, the store of before aside. To be called by whoever owns the directory, before the store is
 * opened; does nothing where nothing was prepared. Answers where the store of before is.
 */
export function finishRestore(dataDir: string): string | null {
  const ready = join(dataDir, prepared)
  if (!existsSync(ready)) return null
  const store = join(dataDir, databaseFile)
  // Named by the new store, so that one who goes on where another was killed puts things into the same place.
  const aside = join(dataDir, `replaced-${inName(Math.floor(statSync(ready).mtimeMs))}`)
  for (const suffix of ['', '-wal', '-shm']) {
    if (!existsSync(store + suffix)) continue
    mkdirSync(aside, { recursive: true, mode: 0o700 })
    renameSync(store + suffix, join(aside, databaseFile + suffix))
  }
  const hadStore = existsSync(aside)
  if (hadStore) {
    giveToOwnerOf(dataDir, aside)
    syncDirectory(aside)
  }
  // Not before the old log is gone: SQLite would take it for the new store's.
  syncDirectory(dataDir)
  renameSync(ready, store)
  syncDirectory(dataDir)
  return hadStore ? aside : null
}

/**
 * Tries a backup out: restores it into a temporary directory and compares every row with the backup's, then opens and upgrades it
 * as a hub would and checks it again. An upgrade may add rows, so after it what counts is that all mail is there. Throws
 * `invalid` when anything differs.
 */
export function drill(file: string): BackupReport {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-drill-'))
  try {
    const { backup } = restore(file, dir)
    const store = join(dir, databaseFile)
    const expectSame = (what: string, found: unknown, wanted: unknown) => {
      if (found !== wanted) throw differs(file, `${what}: ${found}, not ${wanted}`)
    }
    expectSame('the fingerprint of its rows', fingerprintAs(store, shapeOfBackup(file)), backup.fingerprint)
    new State(store).close()
    const opened = checkBackup(store)
    for (const what of ['seq', 'members', 'messages', 'unread'] as const) expectSame(what, opened[what], backup[what])
    return backup
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function differs(file: string, what: string): ClaudeNetError {
  return new ClaudeNetError(
    'invalid',
    `${file}, restored, is not what it was: ${what}.`,
    'Do not rely on it. Make another backup and try that one.',
  )
}

function lockFor(dataDir: string): { release: () => void } {
  try {
    return lockDataDirectory(dataDir)
  } catch (error) {
    if (!(error instanceof ClaudeNetError)) throw error
    throw new ClaudeNetError('conflict', error.message, 'Stop it first; a restore replaces its store.')
  }
}

/** What root makes belongs to whoever the directory belongs to: the hub may run as another user. */
function giveToOwnerOf(dataDir: string, ...paths: string[]): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(dataDir)
  for (const path of paths) chownSync(path, uid, gid)
}
