import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn, timeOfBackup } from '../state/store/backup-names.ts'

/** How many backups stay: the newest ones, and of earlier days the last of each, as far as they fit into `keepGiB`. */
export interface Rotation {
  keepNewest: number
  keepDays: number
  keepGiB?: number | null
}

/** The newest backups that stay, however large they are. */
const alwaysKept = 2

export interface BackupFile {
  name: string
  /** When it was made, in ms since 1970. */
  time: number
  bytes: number
}

/** The backups in a directory, newest first. What is named otherwise is none of them. */
export function backupsIn(dir: string): BackupFile[] {
  return namesIn(dir)
    .flatMap(name => {
      const time = timeOfBackup(name)
      return time === undefined ? [] : [{ name, time, bytes: sizeOf(join(dir, name)) }]
    })
    .sort((a, b) => b.time - a.time)
}

/**
 * The newest of `backups` (newest first) by a clock that says `now`. One with a date in the future was made while the clock was
 * wrong: it counts only where there is no other.
 */
export function newestOf(backups: readonly BackupFile[], now: number): BackupFile | undefined {
  return backups.find(({ time }) => time <= now) ?? backups[0]
}

/**
 * Those of `backups` (newest first) that may go: neither among the newest nor the last of one of the newest days, in UTC, or
 * beyond `keepGiB`. Those with
 * a date in the future stay, and take nobody's place: which of them are new, only a clock that is right will tell.
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

/** 0 for a file that was removed meanwhile. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Removes what is superfluous in `dir`. */
export function rotate(dir: string, rotation: Rotation, now = Date.now()): void {
  for (const { name } of superfluous(backupsIn(dir), rotation, now)) rmSync(join(dir, name))
}
