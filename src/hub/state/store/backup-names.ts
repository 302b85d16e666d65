import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Directory of a hub's backups, in its data directory, unless hub.json names another. */
export const backupFolder = 'backups'

/** Suffix of a backup while it is being made, so that it does not count as one. */
export const unfinished = '.part'

/** A backup made before an upgrade, with the old schema. */
export interface UpgradeBackup {
  path: string
  schema: number
  /** Time at which it was made, in ms since 1970. */
  time: number
}

/** Formats ms since 1970 for a file name: `2026-11-22T15-00-00.000Z`. Names sort as their times do. */
export function inName(time: number): string {
  return new Date(time).toISOString().replaceAll(':', '-')
}

/** Returns `hub-TIME.db`. */
export function backupName(time: number): string {
  return `hub-${inName(time)}.db`
}

/** Returns `hub-TIME.log`, the name of the tail of the backup `hub-TIME.db`. */
export function tailName(backup: string): string {
  return backup.replace(/\.db$/, '.log')
}

/** Returns the name of the backup to which the tail of this name belongs; undefined for any other file. */
export function backupOfTail(name: string): string | undefined {
  const backup = name.replace(/\.log$/, '.db')
  return backup === name || timeOfBackup(backup) === undefined ? undefined : backup
}

/** Returns `schema-4-TIME.db`. */
export function upgradeBackupName(schema: number, time: number): string {
  return `schema-${schema}-${inName(time)}.db`
}

/** Returns the time at which the backup of this name was made, in ms since 1970; undefined for any other file. */
export function timeOfBackup(name: string): number | undefined {
  return timeOf(/^hub-(.+)\.db$/.exec(name)?.[1])
}

/** Returns the backups made before upgrades, newest first. */
export function upgradeBackups(dir: string): UpgradeBackup[] {
  return namesIn(dir)
    .flatMap(name => {
      const [, schema, text] = /^schema-(\d{1,6})-(.+)\.db$/.exec(name) ?? []
      const time = timeOf(text)
      return time === undefined ? [] : [{ path: join(dir, name), schema: Number(schema), time }]
    })
    .sort((a, b) => b.time - a.time)
}

/** Returns the names in a directory; none if it does not exist or cannot be read, which a later write there reports. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Removes the unfinished backups that a killed process left. */
export function removeUnfinished(dir: string): void {
  for (const name of namesIn(dir)) if (name.includes(unfinished)) rmSync(join(dir, name), { force: true })
}

function timeOf(text: string | undefined): number | undefined {
  const [, date, hour, minute, second] = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})Z$/.exec(text ?? '') ?? []
  const time = Date.parse(`${date}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time) ? undefined : time
}
