import { closest, distance } from 'fastest-levenshtein'
import type { MemberKind } from '../../../protocol/messages.ts'
import { everyone, lookupForm } from '../../../protocol/names.ts'
import type { Taken } from '../refusals.ts'
import type { Database } from '../store/database.ts'

export interface MemberRow {
  id: number
  name: string
  kind: MemberKind
  inbound: string
  unread: number
  unreadBytes: number
  /** 1 if this member has muted anybody. */
  mutes: 0 | 1
  /** End of this member's last brake, in ms since 1970; 0 for none. */
  brakedUntil: number
  /** 1 while the unread messages of each sender are counted in this inbox. */
  isShared: 0 | 1
}

/** Id of the row that stands for the hub itself, the sender of its notices. No name means it, and nobody can write to it. */
export const hubItself = 0

/** The columns of a `MemberRow`, of `member m`. */
const columns =
  'm.id, m.name, m.kind, m.inbound, m.unread, m.unread_bytes as unreadBytes, m.mutes, m.braked_until as brakedUntil, m.is_shared as isShared'

/** Returns the member with exactly this name; aliases do not count. */
export function memberByName(db: Database, name: string): MemberRow | undefined {
  return db.get<MemberRow>(`select ${columns} from member m where m.name = ? and m.id <> ${hubItself}`, name)
}

export function memberById(db: Database, id: number): MemberRow | undefined {
  return db.get<MemberRow>(`select ${columns} from member m where m.id = ?`, id)
}

/** Returns the member that a typed name means, by name or alias. */
export function memberMeant(db: Database, typed: string): MemberRow | undefined {
  const name = lookupForm(typed)
  return memberByName(db, name) ?? memberByAlias(db, name)
}

/** Returns the id of a possible sender: a member, or the hub itself. */
export function senderMeant(db: Database, typed: string): Pick<MemberRow, 'id'> | undefined {
  return lookupForm(typed) === 'hub' ? { id: hubItself } : memberMeant(db, typed)
}

/** Returns every machine but `except`, by name. */
export function otherMachines(db: Database, except: number): MemberRow[] {
  return db.all<MemberRow>(
    `select ${columns} from member m where m.kind = 'machine' and m.id <> ? and m.deleted_at is null order by m.name`,
    except,
  )
}

/** Returns the holder of a name, or undefined when it is free: members, aliases, groups and webhooks that post share one namespace. */
export function nameTaken(db: Database, name: string): Taken | undefined {
  const member = memberByName(db, name)
  if (member) return { kind: member.kind }
  const aliased = memberByAlias(db, name)
  if (aliased) return { kind: 'alias', member: aliased.name }
  if (groupExists(db, name)) return { kind: 'group' }
  return db.get('select 1 from outgoing where name = ?', name) ? { kind: 'webhook' } : undefined
}

/** Reports whether a group has this name, given in lookup form. */
export function groupExists(db: Database, name: string): boolean {
  return db.get('select 1 from member_group where name = ?', name) !== undefined
}

/** Reports whether the names include a group or `all`, without reading their members. */
export function includesCrowd(db: Database, typed: readonly string[]): boolean {
  return typed.some(each => {
    const name = lookupForm(each)
    return !memberMeant(db, name) && isCrowdName(db, name)
  })
}

function isCrowdName(db: Database, name: string): boolean {
  return name === everyone || groupExists(db, name)
}

/** The members that the names in a message mean. */
export interface Resolved {
  /** Each member once, in the order named. */
  members: MemberRow[]
  /** Unknown names. */
  unknown: string[]
  /** Whether the names include a group or `all`. */
  isCrowd: boolean
}

/** Resolves members, aliases, groups and `all`, as `sender` typed them. Does not throw: unknown names are in `unknown`. */
export function resolveNames(db: Database, sender: number, typed: string[]): Resolved {
  // Duplicate names are dropped: `all` a hundred times would read a hundred times as many rows.
  const named = [...new Map(typed.map(each => [lookupForm(each), each]))].map(([name, asTyped]) => {
    const one = memberMeant(db, name)
    return { name, asTyped, one, isCrowd: !one && isCrowdName(db, name) }
  })
  const isCrowd = named.some(each => each.isCrowd)
  const found = named.flatMap(({ one }, rank) => (one ? [{ member: one, rank }] : []))
  if (isCrowd) {
    const crowds = named.map(each => (each.isCrowd ? each.name : ''))
    found.push(...inCrowds(db, sender, crowds))
    found.sort((a, b) => a.rank - b.rank)
  }
  const members = new Map<number, MemberRow>()
  for (const { member } of found) if (!members.has(member.id)) members.set(member.id, member)
  const unknown = named.filter(each => !each.one && !each.isCrowd).map(({ asTyped }) => asTyped)
  return { members: [...members.values()], unknown, isCrowd }
}

/** Returns names similar to the typed one, nearest first, at most three. */
export function nearestNames(db: Database, typed: string): string[] {
  const wanted = lookupForm(typed).slice(0, 64)
  const names = db
    .all<{ name: string }>(
      `select name from member where deleted_at is null
       union select name from alias union select name from member_group order by name`,
    )
    .map(row => row.name)
  const likely = names.filter(name => isLikely(wanted, name))
  if (likely.length === 0 && names.length > 0) {
    const nearest = closest(wanted, names)
    return distance(wanted, nearest) <= wanted.length / 2 ? [nearest] : []
  }
  return likely.sort((a, b) => distance(wanted, a) - distance(wanted, b) || (a < b ? -1 : 1)).slice(0, 3)
}

function memberByAlias(db: Database, name: string): MemberRow | undefined {
  return db.get<MemberRow>(`select ${columns} from alias a join member m on m.id = a.member where a.name = ?`, name)
}

/**
 * Returns the members of `all` and of groups, without the sender, each with the index of the first of `names` that contains it, by index
 * and name. All groups are read at once: a hundred of them may have the same members.
 */
function inCrowds(db: Database, sender: number, names: string[]): { member: MemberRow; rank: number }[] {
  const ofGroups = names.every(name => name === '' || name === everyone)
    ? []
    : db.all<MemberRow & { rank: number }>(
        `select ${columns}, g.rank from (
       select x.member, min(n.key) as rank from json_each(?1) n join group_member x on x.group_name = n.value group by x.member
     ) g join member m on m.id = g.member where m.id <> ?2 order by g.rank, m.name`,
        JSON.stringify(names),
        sender,
      )
  const all = names.indexOf(everyone)
  const machines = all < 0 ? [] : otherMachines(db, sender)
  return [
    ...ofGroups.map(({ rank, ...member }) => ({ member, rank })),
    ...machines.map(member => ({ member, rank: all })),
  ]
}

/** Reports whether `wanted` may be a typo of `name` (up to a third of the letters), or a person's name with which a machine's begins. */
function isLikely(wanted: string, name: string): boolean {
  if (wanted.length >= 3 && (name.startsWith(wanted) || wanted.startsWith(name))) return true
  return distance(wanted, name) <= Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3))
}
