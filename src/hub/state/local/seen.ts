import type { Database } from '../store/database.ts'

/** When each member was last seen before this start of the hub, in ms since 1970. */
export function lastSeenTimes(db: Database): Map<number, number> {
  return new Map(
    db.all<{ member: number; at: number }>('select member, at from last_seen').map(row => [row.member, row.at]),
  )
}

/** Notes when members were last seen. Each hub writes what it saw. Throws on a storage error. */
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

/** Notes when tokens were last used, in ms since 1970 by their public id, and removes those that are gone. Throws on a storage error. */
export function saveTokenUses(db: Database, times: ReadonlyMap<string, number>): void {
  if (times.size === 0) return
  db.transaction(() => {
    for (const [id, at] of times) {
      db.run('insert into token_use (id, at) values (?1, ?2) on conflict (id) do update set at = ?2', id, at)
    }
    db.run('delete from token_use where id not in (select id from token)')
  })
}
