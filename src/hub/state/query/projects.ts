import { closest, distance } from 'fastest-levenshtein'
import type { ProjectScope } from '../../../protocol/projects.ts'
import type { Database } from '../store/database.ts'
import { unlessUnreadable } from './read-round.ts'

/** Whether machine `member` was seen with this project lately. */
export function isProject(db: Database, member: number, project: string): boolean {
  return db.get('select 1 from project where member = ? and name = ?', member, project) !== undefined
}

/** When machine `member` was last noted to be seen with this project, in steady time; undefined when it is not known. */
export function projectSeenSteady(db: Database, member: number, project: string): number | undefined {
  return unlessUnreadable(() =>
    db.get<{ at: number }>('select seen_steady as at from project where member = ? and name = ?', member, project),
  )?.at
}

/** Whether mail that is for `project`, or for none, is of this scope. Without a scope all is. */
export function isInScope(project: string | null | undefined, scope: ProjectScope | undefined): boolean {
  return scope === undefined || !project || project === scope
}

/** How many messages are unread at `member` for one project; 0 for the empty scope, and where a damaged store does not say. */
export function projectShare(db: Database, member: number, project: ProjectScope): number {
  if (project === '') return 0
  const read = () =>
    db.get<{ unread: number }>('select unread from project_inbox where recipient = ? and project = ?', member, project)
  return unlessUnreadable(read)?.unread ?? 0
}

/** For which other projects than that of `scope` mail is unread at `member`, the most first, `limit` at most. */
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
  /** When one of its sessions was last heard of, as far as that is written down, in ms since 1970. */
  seenAt: number
}

/** The members who have any project. */
export function membersWithProjects(db: Database): Set<number> {
  const rows = db.all<{ id: number }>(
    'select id from member m where exists (select 1 from project p where p.member = m.id)',
  )
  return new Set(rows.map(({ id }) => id))
}

/** Projects of `member`, those in `first` before the others and then the last seen first, `limit` at most; and how many it has. */
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

/** Names of projects of `member` that the typed one may have been meant to be, the nearest first, three at most. */
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
