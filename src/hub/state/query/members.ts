import type { JoinableKind, MemberKind } from '../../../protocol/messages.ts'
import type { Role } from '../../../protocol/token.ts'
import type { Database } from '../store/database.ts'

export interface MemberInfo {
  id: number
  name: string
  kind: MemberKind
  owner: string | null
  aliases: string[]
  /** Ranges of addresses from which its tokens may be used; none for anywhere. */
  boundTo: string[]
  unread: number
  createdAt: number
  joinedAt: number | null
}

/** Returns every member, by name. */
export function allMembers(db: Database): MemberInfo[] {
  const aliases = new Map<number, string[]>()
  for (const { member, name } of db.all<{ member: number; name: string }>(
    'select member, name from alias order by name',
  )) {
    const own = aliases.get(member)
    if (own) own.push(name)
    else aliases.set(member, [name])
  }
  const rows = db.all<Omit<MemberInfo, 'aliases' | 'boundTo'> & { boundTo: string | null }>(
    `select m.id, m.name, m.kind, o.name as owner, m.unread, m.created_at as createdAt, m.joined_at as joinedAt,
       m.bound_to as boundTo
     from member m left join member o on o.id = m.owner where m.deleted_at is null order by m.name`,
  )
  return rows.map(row => ({
    ...row,
    aliases: aliases.get(row.id) ?? [],
    boundTo: row.boundTo === null ? [] : (JSON.parse(row.boundTo) as string[]),
  }))
}

/** A token as an admin sees it. Times in ms since 1970, `renewFrom` and `limit` in steady time; null where there is none. */
export interface TokenLife {
  id: string
  member: number
  createdAt: number
  /** Time of its last recorded use. */
  usedAt: number | null
  /** End of the overlap after a rotation or a renewal. */
  endsAt: number | null
  renewFrom: number | null
  limit: number | null
}

/** Returns the tokens of every member that has any, the newest last, which is the one its machine uses. */
export function tokensByMember(db: Database): Map<number, TokenLife[]> {
  const rows = db.all<TokenLife>(
    `select t.id, t.member, t.created_at as createdAt, u.at as usedAt, t.ends_at as endsAt, t.renew_steady as renewFrom,
       t.limit_steady as "limit"
     from token t left join token_use u on u.id = t.id where t.member is not null
     order by t.member, t.ends_at is null, t.created_at`,
  )
  const tokens = new Map<number, TokenLife[]>()
  for (const row of rows) {
    const own = tokens.get(row.member)
    if (own) own.push(row)
    else tokens.set(row.member, [row])
  }
  return tokens
}

/** Returns the names of the machines that have a token, sorted. */
export function machinesWithToken(db: Database): string[] {
  return db
    .all<{ name: string }>(
      `select name from member m where kind = 'machine' and deleted_at is null
         and exists (select 1 from token t where t.member = m.id) order by name`,
    )
    .map(({ name }) => name)
}

/** Returns, for each member without a token, the time at which its last one ended because of its age, in ms since 1970. */
export function endedByAge(db: Database): Map<number, number> {
  const rows = db.all<{ member: number; at: number }>(
    `select member, max(at) as at from ended_token e where why = 'age'
       and not exists (select 1 from token t where t.member = e.member) group by member`,
  )
  return new Map(rows.map(({ member, at }) => [member, at]))
}

/** Returns the names of machines that `human` owns, sorted, at most `limit`. */
export function machinesOf(db: Database, human: number, limit: number): string[] {
  return db
    .all<{ name: string }>(
      `select name from member where owner = ? and kind = 'machine' and deleted_at is null order by name limit ?`,
      human,
      limit,
    )
    .map(({ name }) => name)
}

/** Returns the owner of a machine; undefined when it has none. */
export function ownerOf(db: Database, machine: number): { id: number; name: string } | undefined {
  return db.get(
    'select o.id, o.name from member m join member o on o.id = m.owner where m.id = ? and o.deleted_at is null',
    machine,
  )
}

/** Returns the sorted names of the machines of each human who owns any. */
export function machinesByOwner(db: Database): Map<number, string[]> {
  const rows = db.all<{ owner: number; name: string }>(
    `select owner, name from member where owner is not null and kind = 'machine' and deleted_at is null order by name`,
  )
  const owned = new Map<number, string[]>()
  for (const { owner, name } of rows) owned.set(owner, [...(owned.get(owner) ?? []), name])
  return owned
}

/** Returns every group with the names of its members, both sorted. `all` has all members, so that each is looked up once, not per group. */
export function allGroups(
  db: Database,
  all: readonly Pick<MemberInfo, 'id' | 'name'>[] = allMembers(db),
): { name: string; members: string[] }[] {
  const rows = db.all<{ name: string; ids: string }>(
    `select g.name, (select json_group_array(x.member) from group_member x where x.group_name = g.name) as ids
     from member_group g order by g.name`,
  )
  return rows.map(({ name, ids }) => {
    const own = new Set(JSON.parse(ids) as number[])
    return { name, members: all.filter(({ id }) => own.has(id)).map(member => member.name) }
  })
}

/** Reports whether a machine belongs to this human. */
export function isOwnedBy(db: Database, machine: number, human: number): boolean {
  return db.get('select 1 from member where id = ? and owner = ? and deleted_at is null', machine, human) !== undefined
}

export function mutedBy(db: Database, member: number): string[] {
  return db
    .all<{ name: string }>(
      'select s.name from mute x join member s on s.id = x.sender where x.member = ? and s.deleted_at is null order by s.name',
      member,
    )
    .map(({ name }) => name)
}

/** A stored credential. `member` is null for an admin. */
export interface TokenRow {
  id: string
  hash: Uint8Array
  role: Role
  member: number | null
  name: string | null
  /** Time from which its machine renews it, and its end, in steady time. */
  renewFrom: number | null
  limit: number | null
  /** Ranges of addresses from which it may be used, as JSON; null for anywhere. */
  boundTo: string | null
}

/** Returns the token with this public id, with the name of its member; undefined when there is none. */
export function tokenById(db: Database, id: string): TokenRow | undefined {
  return db.get<TokenRow>(
    `select t.id, t.hash, t.role, t.member, m.name, m.bound_to as boundTo, t.limit_steady as "limit",
       case when t.renewed_at is null then t.renew_steady else 0 end as renewFrom
     from token t left join member m on m.id = t.member where t.id = ?`,
    id,
  )
}

/** A token that has ended because of its age, or some time after its machine had renewed it; `at` in ms since 1970. */
export interface EndedToken {
  hash: Uint8Array
  why: 'age' | 'renewed'
  name: string
  at: number
}

export function endedTokenById(db: Database, id: string): EndedToken | undefined {
  return db.get<EndedToken>(
    'select e.hash, e.why, e.at, m.name from ended_token e join member m on m.id = e.member where e.id = ?',
    id,
  )
}

/** Returns the member that an unused code is for at `steady`; undefined for any other code. */
export function openInvite(
  db: Database,
  codeHash: Buffer,
  steady: number,
): { name: string; kind: JoinableKind; boundTo: string | null } | undefined {
  return db.get(
    `select m.name, m.kind, m.bound_to as boundTo from invite i join member m on m.id = i.member
     where i.code_hash = ? and i.used_by is null and i.expires_steady > ?`,
    codeHash,
    steady,
  )
}

/** Reports whether a code is stored, used or not. */
export function isInvite(db: Database, codeHash: Buffer): boolean {
  return db.get('select 1 from invite where code_hash = ?', codeHash) !== undefined
}

/** Returns the steady time at which the next message, token or console session ends; undefined when none will. */
export function nextDue(db: Database): number | undefined {
  const row = db.get<{ at: number | null }>(
    `select min(at) as at from (
       select min(expires_steady) as at from message where expires_steady is not null and expired = 0
       union all select min(ends_steady) from token where ends_steady is not null
       union all select min(limit_steady) from token where limit_steady is not null
       union all select min(expires_steady) from console_session
       union all select min(expires_steady) from console_link)`,
  )
  return row?.at ?? undefined
}
