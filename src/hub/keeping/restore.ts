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

/** The store while it is prepared, and once it is complete and only has to be moved into place. */
export const preparing = 'hub.db.restoring'
export const prepared = 'hub.db.restored'

/** The last entry of the tail to apply, and the directory of the tail: by default that of the backup. */
export interface Beyond {
  to?: Target
  log?: string
}

export interface Restored extends Carried {
  backup: BackupReport
  /** Entries applied to it; null without a tail. */
  tail: Replayed | null
  /** Path of the replaced store; null when there was none. */
  replaced: string | null
}

/**
 * Makes the backup `file` the store of `dataDir`, with a history of its own from there on. A kill leaves the old store or the new one: once
 * the new one is complete, the next start of the hub or the next restore finishes. As root runs as the owner of the directory. Throws
 * `conflict` while a hub owns the directory, `invalid` for a file that is not a good backup, or whose tail does not reach `to`; changes
 * nothing then.
 */
export function restore(file: string, dataDir: string, { to, log }: Beyond = {}): Restored {
  expectOneFile(file)
  // Before privileges are dropped: the backup may be readable by root only.
  const source = openSync(file, 'r')
  const tail = to && openTailOf(file, log)
  try {
    return asOwnerOf(dataDir, () => restoreFrom(source, file, dataDir, tail && { ...tail, to: to! }))
  } finally {
    closeSync(source)
    if (tail) closeSync(tail.handle)
  }
}

/** Opens the tail of a backup. Throws `not_found` when there is none. */
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
 * Moves a prepared store into place, and the previous one aside. The caller must own the directory, and must not have opened the store.
 * Removes what a killed restore had begun if nothing is prepared. Returns where the previous store is.
 */
export function finishRestore(dataDir: string): string | null {
  removePart(join(dataDir, preparing))
  const ready = join(dataDir, prepared)
  if (!existsSync(ready)) return null
  const store = join(dataDir, databaseFile)
  // Named after the new store, so that a restore that continues a killed one uses the same directory.
  const aside = join(dataDir, `replaced-${inName(Math.floor(statSync(ready).mtimeMs))}`)
  for (const suffix of ['', '-wal', '-shm']) {
    if (!existsSync(store + suffix)) continue
    mkdirSync(aside, { recursive: true, mode: 0o700 })
    renameSync(store + suffix, join(aside, databaseFile + suffix))
  }
  const hadStore = existsSync(aside)
  if (hadStore) syncDirectory(aside)
  // Only after the old log is gone: SQLite would apply it to the new store.
  syncDirectory(dataDir)
  renameSync(ready, store)
  syncDirectory(dataDir)
  return hadStore ? aside : null
}

/**
 * Tests a backup: restores it into a temporary directory and compares every row with the backup's, then opens and upgrades it as a hub
 * would and checks it again. An upgrade may add rows, so then only the counts of messages have to match. Throws `invalid` for any
 * difference. With `to` tests its tail too: applies its entries to a copy of the backup and compares every outcome with the recorded one,
 * and the fingerprint with that of the next backup, if the tail has it.
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

/** Uses a copy, because the drill's store has begun a history of its own. */
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
    `${file} differs after a restore: ${what}.`,
    'Do not rely on it. Make another backup and test that one.',
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
