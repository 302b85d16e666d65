import { namePattern } from '../../../protocol/names.ts'
import { type CommandOf, type DatedEntry, done, type Outcome } from '../commands.ts'
import { memberById } from '../query/find-member.ts'
import { isProject } from '../query/projects.ts'
import { refuse, refuseUnknown } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'

type See = CommandOf<'project.see'>

const { maxProjects, projectLifeMs } = limits

/** Notes that a session of a machine works on a project. Above the limit, the project that was not seen for longest is deleted. */
export function applySee(db: Database, { time, steady, command }: DatedEntry<See>): Outcome<See> {
  const { by, project } = command
  const member = memberById(db, by)
  const isGone = db.get('select 1 from member where id = ? and deleted_at is not null', by)
  if (!member || isGone) return refuseUnknown(member?.name ?? String(by))
  if (member.kind === 'human')
    return refuse('invalid', { code: 'takes_no_project', name: member.name, kind: 'human', address: project })
  if (!namePattern.test(project)) return refuse('invalid', { code: 'not_a_project', project })
  const isNew = !isProject(db, by, project)
  if (isNew) makeRoom(db, by)
  db.run(
    `insert into project (member, name, seen_at, seen_steady) values (?1, ?2, ?3, ?4)
     on conflict (member, name) do update set seen_at = ?3, seen_steady = ?4`,
    by,
    project,
    time,
    steady,
  )
  return done<See>({ isNew })
}

function makeRoom(db: Database, member: number): void {
  const { n } = db.get<{ n: number }>('select count(*) as n from project where member = ?', member)!
  if (n < maxProjects) return
  db.run(
    `delete from project where member = ?1 and name in
       (select name from project where member = ?1 order by seen_steady, name limit ?2)`,
    member,
    n - maxProjects + 1,
  )
}

/** Deletes projects that were not seen for long. Unread messages for them stay in the inbox. */
export function forgetProjects(db: Database, steady: number): void {
  db.run('delete from project where seen_steady <= ?', steady - projectLifeMs)
}

/** Returns the steady time at which a tick would next delete a project; undefined when there is none. */
export function nextForgotten(db: Database): number | undefined {
  const { at } = db.get<{ at: number | null }>('select min(seen_steady) as at from project')!
  return at === null ? undefined : at + projectLifeMs
}

/** Counts a delivery that was stored for a project of `recipient` (1), or is no longer unread (-1). */
export function countForProject(db: Database, recipient: number, project: string, by: 1 | -1): void {
  db.run('update member set project_unread = project_unread + ? where id = ?', by, recipient)
  db.run(
    `insert into project_inbox (recipient, project, unread) values (?1, ?2, ?3)
     on conflict (recipient, project) do update set unread = unread + ?3`,
    recipient,
    project,
    by,
  )
  if (by < 0)
    db.run('delete from project_inbox where recipient = ? and project = ? and unread <= 0', recipient, project)
}
