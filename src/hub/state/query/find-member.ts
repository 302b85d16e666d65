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
  /** 1 when this member has muted anybody. */
  mutes: 0 | 1
  /** The end of this member's last brake, in ms since 1970; 0 when there was none. */
  brakedUntil: number
  /** 1 while what each sender has unread there is counted. */
  isShared: 0 | 1
}

/** The row that stands for the hub itself, as the sender of its notices. It is nobody's to name, find or write to. */
export const hubItself = 0

/** The columns of a `MemberRow`, of `member m`. */
const columns =
  'm.id, m.name, m.kind, m.inbound, m.unread, m.unread_bytes as unreadBytes, m.mutes, m.braked_until as brakedUntil, m.is_shared as isShared'

/** The member of this very name; no alias. */
export function memberByName(db: Database, name: string): MemberRow | undefined {
  return db.get<MemberRow>(`select ${columns} from member m where m.name = ? and m.id <> ${hubItself}`, name)
}

export function memberById(db: Database, id: number): MemberRow | undefined {
  return db.get<MemberRow>(`select ${columns} from member m where m.id = ?`, id)
}

/** The member whom one typed name means, by name or alias. */
export function memberMeant(db: Database, typed: string): MemberRow | undefined {
  const name = lookupForm(typed)
  return memberByName(db, name) ?? memberByAlias(db, name)
}

/** The id of whoever may have written a message: a member, or the hub itself. */
export function senderMeant(db: Database, typed: string): Pick<MemberRow, 'id'> | undefined {
  return lookupForm(typed) === 'hub' ? { id: hubItself } : memberMeant(db, typed)
}

/** Every machine but `except`, by name. */
export function otherMachines(db: Database, except: number): MemberRow[] {
  return db.all<MemberRow>(
    `select ${columns} from member m where m.kind = 'machine' and m.id <> ? and m.deleted_at is null order by m.name`,
    except,
  )
}

/** What this name stands for, or undefined when it is free: members, aliases, groups and webhooks that post share one namespace. */
export function nameTaken(db: Database, name: string): Taken | undefined {
  const member = memberByName(db, name)
  if (member) return { kind: member.kind }
  const aliased = memberByAlias(db, name)
  if (aliased) return { kind: 'alias', member: aliased.name }
  if (groupExists(db, name)) return { kind: 'group' }
  return db.get('select 1 from outgoing where name = ?', name) ? { kind: 'webhook' } : undefined
}

/** Whether a group is called so. `name` in lookup form. */
export function groupExists(db: Database, name: string): boolean {
  return db.get('select 1 from member_group where name = ?', name) !== undefined
}

/** Who is meant by the names that `sender` wrote. */
export interface Resolved {
  /** Each member once, in the order named. */
  members: MemberRow[]
  /** Names that mean nobody. */
  unknown: string[]
  /** Whether a group or `all` was named. */
  isCrowd: boolean
}

/** Members, aliases, groups and `all`, as `sender` typed them. Throws nothing: what means nobody is in `unknown`. */
export function resolveNames(db: Database, sender: number, typed: string[]): Resolved {
  // Each name once: `all` a hundred times would be a hundred times as many rows.
  const named = [...new Map(typed.map(each => [lookupForm(each), each]))].map(([name, asTyped]) => {
    const one = memberMeant(db, name)
    return { name, asTyped, one, isCrowd: !one && (name === everyone || groupExists(db, name)) }
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

/** Names that the typed one may have been meant to be, nearest first, three at most. */
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
 * The members of `all` and of groups, but not the sender, each with the place of the first of `names` that holds it, by place and
 * name. All groups at once: a hundred of them may have the same members.
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

/** A slip of the finger (up to a third of the letters), or a person's name for the machine that starts with it. */
function isLikely(wanted: string, name: string): boolean {
  if (wanted.length >= 3 && (name.startsWith(wanted) || wanted.startsWith(name))) return true
  return distance(wanted, name) <= Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3))
}
