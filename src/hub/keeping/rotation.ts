import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { namesIn, timeOfBackup } from '../state/store/backup-names.ts'

/** How many backups stay: the newest ones, and of earlier days the last of each. */
export interface Rotation {
  keepNewest: number
  keepDays: number
}

export interface BackupFile {
  name: string
  /** When it was made, in ms since 1970. */
  time: number
}

/** The backups in a directory, newest first. What is named otherwise is none of them. */
export function backupsIn(dir: string): BackupFile[] {
  return namesIn(dir)
    .flatMap(name => {
      const time = timeOfBackup(name)
      return time === undefined ? [] : [{ name, time }]
    })
    .sort((a, b) => b.time - a.time)
}

/** Those of `backups` (newest first) that may go: neither among the newest nor the last of one of the newest days, in UTC. */
export function superfluous(backups: readonly BackupFile[], { keepNewest, keepDays }: Rotation): BackupFile[] {
  const lastOfDay = new Map<string, BackupFile>()
  for (const backup of backups) {
    const day = new Date(backup.time).toISOString().slice(0, 10)
    if (!lastOfDay.has(day)) lastOfDay.set(day, backup)
  }
  const kept = new Set([...backups.slice(0, keepNewest), ...[...lastOfDay.values()].slice(0, keepDays)])
  return backups.filter(backup => !kept.has(backup))
}

/** Removes what is superfluous in `dir`. */
export function rotate(dir: string, rotation: Rotation): void {
  for (const { name } of superfluous(backupsIn(dir), rotation)) rmSync(join(dir, name))
}
