import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn, timeOfBackup } from '../state/store/backup-names.ts'

/** Backups to keep: the newest ones, and the last of each earlier day, as far as they fit into `keepGiB`. */
export interface Rotation {
  keepNewest: number
  keepDays: number
  keepGiB?: number | null
}

/** Number of the newest backups that are kept whatever their size. */
const alwaysKept = 2

export interface BackupFile {
  name: string
  /** Time it was made at, in ms since 1970. */
  time: number
  bytes: number
}

/** Returns the backups in a directory, newest first. Ignores files with other names. */
export function backupsIn(dir: string): BackupFile[] {
  return namesIn(dir)
    .flatMap(name => {
      const time = timeOfBackup(name)
      return time === undefined ? [] : [{ name, time, bytes: sizeOf(join(dir, name)) }]
    })
    .sort((a, b) => b.time - a.time)
}

/**
 * Returns the newest of `backups` (newest first) at `now`. One with a date in the future was made while the clock was wrong: it counts only
 * if there is no other.
 */
export function newestOf(backups: readonly BackupFile[], now: number): BackupFile | undefined {
  return backups.find(({ time }) => time <= now) ?? backups[0]
}

/**
 * Returns those of `backups` (newest first) to remove: neither among the newest, nor the last of one of the newest days (in UTC), or beyond
 * `keepGiB`. Backups with a date in the future are kept and do not count: only a correct clock can tell which are new.
 */
export function superfluous(
  all: readonly BackupFile[],
  { keepNewest, keepDays, keepGiB }: Rotation,
  now: number,
): BackupFile[] {
  const backups = all.filter(({ time }) => time <= now)
  const lastOfDay = new Map<string, BackupFile>()
  for (const backup of backups) {
    const day = new Date(backup.time).toISOString().slice(0, 10)
    if (!lastOfDay.has(day)) lastOfDay.set(day, backup)
  }
  const kept = new Set([...backups.slice(0, keepNewest), ...[...lastOfDay.values()].slice(0, keepDays)])
  let room = (keepGiB ?? Infinity) * 2 ** 30
  return backups.filter((backup, index) => {
    if (!kept.has(backup)) return true
    room -= backup.bytes
    return room < 0 && index >= alwaysKept
  })
}

/** Returns 0 for a file that was removed meanwhile. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Removes the superfluous backups in `dir`. */
export function rotate(dir: string, rotation: Rotation, now = Date.now()): void {
  for (const { name } of superfluous(backupsIn(dir), rotation, now)) rmSync(join(dir, name))
}
