import { closest, distance } from 'fastest-levenshtein'
import type { ProjectScope } from '../../../protocol/projects.ts'
import type { Database } from '../store/database.ts'
import { unlessUnreadable } from './read-around-damage.ts'

/** Reports whether this project of machine `member` is known. */
export function isProject(db: Database, member: number, project: string): boolean {
  return db.get('select 1 from project where member = ? and name = ?', member, project) !== undefined
}

/** Returns the last recorded time at which machine `member` was seen with this project, in steady time; undefined when it is not known. */
export function projectSeenSteady(db: Database, member: number, project: string): number | undefined {
  return unlessUnreadable(() =>
    db.get<{ at: number }>('select seen_steady as at from project where member = ? and name = ?', member, project),
  )?.at
}

/** Reports whether messages for `project`, or for none, are in this scope. Without a scope all are. */
export function isInScope(project: string | null | undefined, scope: ProjectScope | undefined): boolean {
  return scope === undefined || !project || project === scope
}

/** Returns the number of unread messages at `member` for one project; 0 for the empty scope, and when a damaged store cannot be read. */
export function projectShare(db: Database, member: number, project: ProjectScope): number {
  if (project === '') return 0
  const read = () =>
    db.get<{ unread: number }>('select unread from project_inbox where recipient = ? and project = ?', member, project)
  return unlessUnreadable(read)?.unread ?? 0
}

/** Returns the projects other than that of `scope` with unread messages at `member`, the most first, at most `limit`. */
export function unreadElsewhere(
  db: Database,
  member: number,
  scope: ProjectScope,
  limit: number,
): { project: string; unread: number }[] {
  return db.all(
    'select project, unread from project_inbox where recipient = ? and project <> ? order by unread desc, project limit ?',
    member,
    scope,
    limit,
  )
}

export interface SeenProject {
  name: string
  /** Last recorded time of a heartbeat of its sessions, in ms since 1970. */
  seenAt: number
}

/** Returns the members that have any project. */
export function membersWithProjects(db: Database): Set<number> {
  const rows = db.all<{ id: number }>(
    'select id from member m where exists (select 1 from project p where p.member = m.id)',
  )
  return new Set(rows.map(({ id }) => id))
}

/**
 * Returns projects of `member`, those in `first` before the others and then the last seen first, at most `limit`; and the number of all.
 */
export function someProjects(
  db: Database,
  member: number,
  { first, limit }: { first: readonly string[]; limit: number },
): { projects: SeenProject[]; count: number } {
  const projects = db.all<SeenProject>(
    `select p.name, coalesce(l.at, p.seen_at) as seenAt
     from project p left join project_last_seen l on l.member = p.member and l.name = p.name
     where p.member = ? order by p.name not in (select value from json_each(?)), p.seen_steady desc, p.name limit ?`,
    ...[member, JSON.stringify(first), limit],
  )
  if (projects.length < limit) return { projects, count: projects.length }
  const { count } = db.get<{ count: number }>('select count(*) as count from project where member = ?', member)!
  return { projects, count }
}

/** Returns names of projects of `member` similar to the typed one, nearest first, at most three. */
export function nearestProjects(db: Database, member: number, typed: string): string[] {
  const rows = unlessUnreadable(() =>
    db.all<{ name: string }>('select name from project where member = ? order by name', member),
  )
  const all = (rows ?? []).map(({ name }) => name)
  const wanted = typed.slice(0, 64)
  const likely = all.filter(name => {
    if (wanted.length >= 3 && (name.startsWith(wanted) || wanted.startsWith(name))) return true
    return distance(wanted, name) <= Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3))
  })
  if (likely.length === 0) return all.length === 0 ? [] : [closest(wanted, all)]
  return likely.sort((a, b) => distance(wanted, a) - distance(wanted, b) || (a < b ? -1 : 1)).slice(0, 3)
}
