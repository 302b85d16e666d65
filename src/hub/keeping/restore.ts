import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { asOwnerOf } from '../../disk/as-owner.ts'
import { copyInto } from '../../disk/copy-into.ts'
import { syncDirectory, syncFile } from '../../disk/replace-file.ts'
import type { BackupReport } from '../../protocol/backup.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { databaseFile } from '../hub.ts'
import { lockDataDirectory } from '../lock.ts'
import { State } from '../state/state.ts'
import { inName } from '../state/store/backup-names.ts'
import { checkBackup, expectOneFile, fingerprintAs, placeOfBackup, shapeOfBackup } from './check-backup.ts'
import { findTail, openTail } from './check-tail.ts'
import { type Carried, startNewHistory } from './new-history.ts'
import { type Replayed, replayTail, type Target } from './replay-tail.ts'

/** A store while it is being prepared, and once it is whole and only has to take its place. */
export const preparing = 'hub.db.restoring'
export const prepared = 'hub.db.restored'

/** How far beyond a backup its tail is applied, and the directory of the tail: that of the backup unless it is said. */
export interface Beyond {
  to?: Target
  log?: string
}

export interface Restored extends Carried {
  backup: BackupReport
  /** What was applied to it; null without a tail. */
  tail: Replayed | null
  /** Where the store of before is now; null when there was none. */
  replaced: string | null
}

/**
 * Makes the backup `file` the store of `dataDir`, with a history of its own from there on. A kill leaves the old store or the
 * new one: what is still to be done once the new one is whole is done by the next start of the hub, or the next restore.
 * Root does it as whoever owns
 * the directory. Throws `conflict` while a hub owns the directory, `invalid` for a file that is no good backup, or whose tail does not
 * go as far as `to`; nothing was changed then.
 */
export function restore(file: string, dataDir: string, { to, log }: Beyond = {}): Restored {
  expectOneFile(file)
  // Before rights are given up: the backup may be for root alone to read.
  const source = openSync(file, 'r')
  const tail = to && openTailOf(file, log)
  try {
    return asOwnerOf(dataDir, () => restoreFrom(source, file, dataDir, tail && { ...tail, to: to! }))
  } finally {
    closeSync(source)
    if (tail) closeSync(tail.handle)
  }
}

/** Opens the tail of a backup. Throws `not_found` where there is none. */
function openTailOf(backup: string, log = dirname(backup)): { handle: number; file: string } {
  const file = existsSync(log) ? findTail(log, placeOfBackup(backup)) : undefined
  if (file !== undefined) return { handle: openTail(file), file }
  throw new ClaudeNetError(
    'not_found',
    `There is no tail of ${backup} in ${log}.`,
    'Name the directory that backup.logTo names in hub.json: --log DIR. A hub without it keeps no tails.',
  )
}

function restoreFrom(
  source: number,
  file: string,
  dataDir: string,
  tail: { handle: number; file: string; to: Target } | undefined,
): Restored {
  const lock = lockFor(dataDir)
  try {
    finishRestore(dataDir)
    const part = join(dataDir, preparing)
    removePart(part)
    copyInto(source, part, 0o600)
    const backup = checkBackup(part, file)
    const replayed = tail ? replayTail(tail, part, tail.to, { compare: false }) : null
    if (replayed) checkBackup(part, file)
    const carried = startNewHistory(part, join(dataDir, databaseFile))
    syncFile(part)
    renameSync(part, join(dataDir, prepared))
    syncDirectory(dataDir)
    return { backup, tail: replayed, ...carried, replaced: finishRestore(dataDir) }
  } catch (error) {
    removePart(join(dataDir, preparing))
    throw error
  } finally {
    lock.release()
  }
}

export function removePart(part: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(part + suffix, { force: true })
}

/**
 * Puts a prepared store in its place, the store of before aside. To be called by whoever owns the directory, before the store is
 * opened; where nothing was prepared it removes what a killed restore had begun. Answers where the store of before is.
 */
export function finishRestore(dataDir: string): string | null {
  removePart(join(dataDir, preparing))
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
  if (hadStore) syncDirectory(aside)
  // Not before the old log is gone: SQLite would take it for the new store's.
  syncDirectory(dataDir)
  renameSync(ready, store)
  syncDirectory(dataDir)
  return hadStore ? aside : null
}

/**
 * Tries a backup out: restores it into a temporary directory and compares every row with the backup's, then opens and upgrades it
 * as a hub would and checks it again. An upgrade may add rows, so after it what counts is that all mail is there. Throws
 * `invalid` when anything differs. With `to` its tail is tried out as well: its entries are applied to a copy of the backup, every
 * outcome is compared with that of then, and the fingerprint with that of the next backup, where the tail has it.
 */
export function drill(file: string, { to, log }: Beyond = {}): { backup: BackupReport; tail: Replayed | null } {
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
    return { backup, tail: to ? drillTail(file, join(dir, 'tail.db'), to, log) : null }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Not on the store of the drill, which has begun a history of its own. */
function drillTail(file: string, copy: string, to: Target, log: string | undefined): Replayed {
  const tail = openTailOf(file, log)
  try {
    copyFileSync(file, copy)
    const replayed = replayTail(tail, copy, to, { compare: true })
    checkBackup(copy, file)
    return replayed
  } finally {
    closeSync(tail.handle)
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
    if (!(error instanceof ClaudeNetError) || error.code !== 'conflict') throw error
    throw new ClaudeNetError('conflict', error.message, 'Stop it first; a restore replaces its store.')
  }
}
