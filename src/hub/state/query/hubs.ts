import type { Database } from '../store/database.ts'

/** A hub as it has announced itself. */
export interface HubRow {
  name: string
  version: string
  /** The newest rules that its program knows. */
  entryVersion: number
  url: string | null
  ssh: string | null
  hubKey: string | null
  /** The offset of the log from which its oldest kept snapshot goes on; 0 where it keeps none. */
  snapshot: number
  /** By the wall clock, in ms since 1970. */
  announcedAt: number
}

/** The hubs that share this history, by name; none in that of a hub that stands alone. */
export function allHubs(db: Database): HubRow[] {
  return db.all<HubRow>(
    `select name, version, entry_version as entryVersion, url, ssh, hub_key as hubKey, snapshot,
       announced_at as announcedAt from hub order by name`,
  )
}

/** Whether a hub has announced itself under this name. */
export function isHub(db: Database, name: string): boolean {
  return db.get('select 1 from hub where name = ?', name) !== undefined
}

/** The version of the rules by which the hubs of one log write new entries. */
export function rulesInForce(db: Database): number {
  return db.get<{ version: number }>('select version from rules')!.version
}
