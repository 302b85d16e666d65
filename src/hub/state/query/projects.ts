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

/** The projects of `member`, by name. */
export function projectsOf(db: Database, member: number): SeenProject[] {
  return db.all<SeenProject>(
    `select p.name, coalesce(l.at, p.seen_at) as seenAt
     from project p left join project_last_seen l on l.member = p.member and l.name = p.name
     where p.member = ? order by p.name`,
    member,
  )
}

/** Names of projects of `member` that the typed one may have been meant to be, the nearest first, three at most. */
export function nearestProjects(db: Database, member: number, typed: string): string[] {
  const names = unlessUnreadable(() => projectsOf(db, member)) ?? []
  const wanted = typed.slice(0, 64)
  const all = names.map(({ name }) => name)
  const likely = all.filter(name => {
    if (wanted.length >= 3 && (name.startsWith(wanted) || wanted.startsWith(name))) return true
    return distance(wanted, name) <= Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3))
  })
  if (likely.length === 0) return all.length === 0 ? [] : [closest(wanted, all)]
  return likely.sort((a, b) => distance(wanted, a) - distance(wanted, b) || (a < b ? -1 : 1)).slice(0, 3)
}
