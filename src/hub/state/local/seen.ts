import type { Database } from '../store/database.ts'

/** Returns the time at which each member was last seen before this start of the hub, in ms since 1970. */
export function lastSeenTimes(db: Database): Map<number, number> {
  return new Map(
    db.all<{ member: number; at: number }>('select member, at from last_seen').map(row => [row.member, row.at]),
  )
}

/** Saves the times at which this hub last saw members. Throws on a storage error. */
export function saveLastSeen(db: Database, times: ReadonlyMap<number, number>): void {
  if (times.size === 0) return
  db.transaction(() => {
    for (const [member, at] of times) {
      db.run(
        'insert into last_seen (member, at) values (?1, ?2) on conflict (member) do update set at = ?2',
        member,
        at,
      )
    }
  })
}

/** Returns the time of the last heartbeat of a session of a project before this start of the hub, in ms since 1970. */
export function projectLastSeen(db: Database, member: number, project: string): number | undefined {
  return (
    db.get<{ at: number | null }>(
      `select coalesce((select at from project_last_seen where member = ?1 and name = ?2),
       (select seen_at from project where member = ?1 and name = ?2)) as at`,
      member,
      project,
    )!.at ?? undefined
  )
}

/** Saves the times of the last heartbeats of projects' sessions, and removes those of deleted projects. Throws on a storage error. */
export function saveProjectsSeen(
  db: Database,
  sights: readonly { member: number; project: string; at: number }[],
): void {
  if (sights.length === 0) return
  db.transaction(() => {
    for (const { member, project, at } of sights) {
      db.run(
        `insert into project_last_seen (member, name, at) values (?1, ?2, ?3)
         on conflict (member, name) do update set at = ?3`,
        ...[member, project, at],
      )
    }
    db.run('delete from project_last_seen where (member, name) not in (select member, name from project)')
  })
}

/**
 * Saves the times at which tokens were last used, in ms since 1970 by public id, and removes those of deleted tokens. Throws on a storage
 * error.
 */
export function saveTokenUses(db: Database, times: ReadonlyMap<string, number>): void {
  if (times.size === 0) return
  db.transaction(() => {
    for (const [id, at] of times) {
      db.run('insert into token_use (id, at) values (?1, ?2) on conflict (id) do update set at = ?2', id, at)
    }
    db.run(
      `delete from token_use where id not in (select id from token union all select 'console-' || id from console_session)`,
    )
  })
}
