import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { groupExists, type MemberRow, memberMeant, nameTaken } from '../query/find-member.ts'
import { refuse, refuseUnknown } from '../refusals.ts'
import type { Database } from '../store/database.ts'

/** Creates an alias for a member; an existing alias is redirected. */
export function applyAliasSet(
  db: Database,
  { command }: Entry<CommandOf<'alias.set'>>,
): Outcome<CommandOf<'alias.set'>> {
  const { alias } = command
  const member = memberMeant(db, command.member)
  if (!member) return refuseUnknown(command.member)
  const taken = nameTaken(db, alias)
  if (taken && taken.kind !== 'alias')
    return refuse('conflict', { code: 'name_taken', name: alias, taken, wanted: 'alias' })
  db.run(
    'insert into alias (name, member) values (?1, ?2) on conflict (name) do update set member = ?2',
    alias,
    member.id,
  )
  return done<CommandOf<'alias.set'>>({ alias, member: member.name })
}

export function applyAliasRemove(
  db: Database,
  { command }: Entry<CommandOf<'alias.remove'>>,
): Outcome<CommandOf<'alias.remove'>> {
  const { alias } = command
  const row = db.get<{ name: string }>(
    'select m.name from alias a join member m on m.id = a.member where a.name = ?',
    alias,
  )
  if (!row) return refuse('not_found', { code: 'no_alias', alias })
  db.run('delete from alias where name = ?', alias)
  return done<CommandOf<'alias.remove'>>({ alias, member: row.name })
}

/** Creates a group, or replaces its members. */
export function applyGroupSet(
  db: Database,
  { command }: Entry<CommandOf<'group.set'>>,
): Outcome<CommandOf<'group.set'>> {
  const { group } = command
  const taken = nameTaken(db, group)
  if (taken && taken.kind !== 'group')
    return refuse('conflict', { code: 'name_taken', name: group, taken, wanted: 'group' })
  const members: MemberRow[] = []
  for (const typed of command.members) {
    const member = memberMeant(db, typed)
    if (!member) return refuseUnknown(typed)
    if (member.kind === 'service') return refuse('invalid', { code: 'service_in_group', name: member.name, group })
    if (!members.some(({ id }) => id === member.id)) members.push(member)
  }
  db.run('insert or ignore into member_group (name) values (?)', group)
  db.run('delete from group_member where group_name = ?', group)
  for (const { id } of members) db.run('insert into group_member (group_name, member) values (?, ?)', group, id)
  return done<CommandOf<'group.set'>>({ group, members: members.map(({ name }) => name).sort() })
}

export function applyGroupRemove(
  db: Database,
  { command }: Entry<CommandOf<'group.remove'>>,
): Outcome<CommandOf<'group.remove'>> {
  const { group } = command
  if (!groupExists(db, group)) return refuse('not_found', { code: 'no_group', group })
  db.run('delete from member_group where name = ?', group)
  return done<CommandOf<'group.remove'>>({ group })
}
