import type { Database } from '../store/database.ts'

/** A hub as it has announced itself. */
export interface HubRow {
  name: string
  version: string
  /** Newest version of the rules that its program supports. */
  entryVersion: number
  url: string | null
  ssh: string | null
  hubKey: string | null
  /** Log offset of the oldest snapshot that it keeps; 0 for none. */
  snapshot: number
  /** Wall-clock time, in ms since 1970. */
  announcedAt: number
}

/** Returns the hubs that share this history, by name; none for a standalone hub. */
export function allHubs(db: Database): HubRow[] {
  return db.all<HubRow>(
    `select name, version, entry_version as entryVersion, url, ssh, hub_key as hubKey, snapshot,
       announced_at as announcedAt from hub order by name`,
  )
}

/** Reports whether a hub has announced itself under this name. */
export function isHub(db: Database, name: string): boolean {
  return db.get('select 1 from hub where name = ?', name) !== undefined
}

/** Returns the version of the rules by which the hubs of one log write new entries. */
export function rulesInForce(db: Database): number {
  return db.get<{ version: number }>('select version from rules')!.version
}
