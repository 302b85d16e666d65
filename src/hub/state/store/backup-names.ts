import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Where a hub keeps its backups, in its data directory, unless hub.json says otherwise. */
export const backupFolder = 'backups'

/** What a backup is called while it is being made: nothing takes it for one. */
export const unfinished = '.part'

/** A backup made before an upgrade: it has the schema of before. */
export interface UpgradeBackup {
  path: string
  schema: number
  /** When it was made, in ms since 1970. */
  time: number
}

/** `2026-11-22T15-00-00.000Z`: a moment, in ms since 1970, as a part of a file name. Names sort as their times do. */
export function inName(time: number): string {
  return new Date(time).toISOString().replaceAll(':', '-')
}

/** `hub-TIME.db`. */
export function backupName(time: number): string {
  return `hub-${inName(time)}.db`
}

/** `hub-TIME.log`: the tail of the backup `hub-TIME.db`. */
export function tailName(backup: string): string {
  return backup.replace(/\.db$/, '.log')
}

/** The backup to which the tail of this name belongs; undefined for any other file. */
export function backupOfTail(name: string): string | undefined {
  const backup = name.replace(/\.log$/, '.db')
  return backup === name || timeOfBackup(backup) === undefined ? undefined : backup
}

/** `schema-4-TIME.db`. */
export function upgradeBackupName(schema: number, time: number): string {
  return `schema-${schema}-${inName(time)}.db`
}

/** When the backup of this name was made, in ms since 1970; undefined for any other file. */
export function timeOfBackup(name: string): number | undefined {
  return timeOf(/^hub-(.+)\.db$/.exec(name)?.[1])
}

/** The backups made before upgrades, newest first. */
export function upgradeBackups(dir: string): UpgradeBackup[] {
  return namesIn(dir)
    .flatMap(name => {
      const [, schema, text] = /^schema-(\d{1,6})-(.+)\.db$/.exec(name) ?? []
      const time = timeOf(text)
      return time === undefined ? [] : [{ path: join(dir, name), schema: Number(schema), time }]
    })
    .sort((a, b) => b.time - a.time)
}

/** What is in a directory; nothing where there is none, or none that can be read: whoever writes there finds out. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Removes what a kill left of backups that were being made. */
export function removeUnfinished(dir: string): void {
  for (const name of namesIn(dir)) if (name.includes(unfinished)) rmSync(join(dir, name), { force: true })
}

function timeOf(text: string | undefined): number | undefined {
  const [, date, hour, minute, second] = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})Z$/.exec(text ?? '') ?? []
  const time = Date.parse(`${date}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time) ? undefined : time
}
