import { type CommandOf, type DatedEntry, done, type Entry, type Outcome } from '../commands.ts'
import { unreadSeqs } from '../local/inbox-index.ts'
import { type MemberRow, memberMeant, nameTaken } from '../query/find-member.ts'
import { type Refused, refuse, refuseUnknown } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { endSessionsOf, sessionsOf } from './console.ts'
import { cancelAllOf, deleteLaterOf } from './later.ts'
import { stopCountingShares } from './room.ts'
import { deleteUntoldOf } from './untold.ts'
import { deleteWebhook, endWebhookUrls, renameInWebhooks } from './webhook-rows.ts'

type Add = CommandOf<'member.add'>
type Own = CommandOf<'member.own'>
type Rename = CommandOf<'member.rename'>
type Revoke = CommandOf<'member.revoke'>
type Delete = CommandOf<'member.delete'>

/**
 * Creates a member without a code, so that messages can wait for it. For an existing member of this name and kind, only the owner may change.
 */
export function applyAdd(db: Database, { time, command }: Entry<Add>): Outcome<Add> {
  const added = addMember(db, time, command)
  return added.ok ? done<Add>({ name: command.name, added: added.isNew }) : added
}

/**
 * Returns the member of this name and kind, which is created if the name is free, and sets its owner. Refuses before the first write.
 */
export function addMember(
  db: Database,
  time: number,
  { name, kind, owner }: Pick<Add, 'name' | 'kind' | 'owner'>,
): { ok: true; isNew: boolean; member: MemberRow } | Refused {
  const taken = nameTaken(db, name)
  if (taken && taken.kind !== kind) return refuse('conflict', { code: 'name_taken', name, taken, wanted: kind })
  if (kind === 'human' && owner !== undefined) return refuseOwnerOfHuman(name)
  const owned = typeof owner === 'string' ? humanMeant(db, owner) : undefined
  if (owned && !owned.ok) return owned
  if (!taken) db.run('insert into member (name, kind, created_at) values (?, ?, ?)', name, kind, time)
  const member = memberMeant(db, name)!
  if (owner !== undefined) db.run('update member set owner = ? where id = ?', owned?.human.id ?? null, member.id)
  return { ok: true, isNew: !taken, member }
}

/** Sets the owner of a machine, or removes it. */
export function applyOwn(db: Database, { command }: Entry<Own>): Outcome<Own> {
  const member = memberMeant(db, command.name)
  if (!member) return refuseUnknown(command.name)
  if (member.kind === 'human') return refuseOwnerOfHuman(member.name)
  if (member.kind === 'service') return refuse('invalid', { code: 'service_has_no_owner', name: member.name })
  if (command.owner === null) {
    db.run('update member set owner = null where id = ?', member.id)
    return done<Own>({ name: member.name, owner: null })
  }
  const owner = humanMeant(db, command.owner)
  if (!owner.ok) return owner
  db.run('update member set owner = ? where id = ?', owner.human.id, member.id)
  return done<Own>({ name: member.name, owner: owner.human.name })
}

function refuseOwnerOfHuman(name: string): Refused {
  return refuse('invalid', { code: 'human_has_no_owner', name })
}

/** Returns the human that a typed name means; a refusal when there is none. */
export function humanMeant(db: Database, typed: string): { ok: true; human: MemberRow } | Refused {
  const human = memberMeant(db, typed)
  if (human?.kind === 'human') return { ok: true, human }
  if (!human) return refuse('not_found', { code: 'no_human', name: typed })
  const { name, kind } = human
  return refuse('not_found', { code: 'owner_is_machine', name, ...(kind === 'service' && { kind }) })
}

/** Gives a member another name. Its inbox, token, owner and groups stay; the old name becomes free. */
export function applyRename(db: Database, { command }: Entry<Rename>): Outcome<Rename> {
  const { to } = command
  const member = memberMeant(db, command.name)
  if (!member) return refuseUnknown(command.name)
  const taken = nameTaken(db, to)
  if (to === member.name) return done<Rename>({ name: to })
  // A member's own alias may become its name.
  const own = db.get('select 1 from alias where name = ? and member = ?', to, member.id)
  if (taken && !own) return refuse('conflict', { code: 'name_taken', name: to, taken, wanted: 'name' })
  db.run('delete from alias where name = ?', to)
  db.run('update member set name = ? where id = ?', to, member.id)
  renameInWebhooks(db, member.name, to)
  return done<Rename>({ name: to }, { revoked: [...tokensOf(db, member), ...sessionsOf(db, member.id)] })
}

/**
 * Ends every token, console session, open code and webhook URL of a member, and cancels its scheduled messages. Its inbox stays; it may be invited
 * again.
 */
export function applyRevoke(db: Database, { steady, command }: DatedEntry<Revoke>): Outcome<Revoke> {
  const member = memberMeant(db, command.name)
  if (!member) return refuseUnknown(command.name)
  const revoked = endTokens(db, member)
  const sessions = endSessionsOf(db, member.id)
  const ended = revoked.length + (endWebhookUrls(db, member.id) ? 1 : 0)
  const later = cancelAllOf(db, steady, member.id)
  return done<Revoke>(
    {
      name: member.name,
      revoked: ended,
      ...(later > 0 && { later }),
      ...(sessions.length > 0 && { sessions: sessions.length }),
    },
    { revoked: [...revoked, ...sessions] },
  )
}

/** Deletes a member: it can neither send nor be reached, its unread messages expire, and its name becomes free. */
export function applyDelete(db: Database, { seq, time, command }: Entry<Delete>): Outcome<Delete> {
  const member = memberMeant(db, command.name)
  if (!member) return refuseUnknown(command.name)
  const senders = db.all<{ sender: number }>(
    `select distinct d.sender from (${unreadSeqs}) u join delivery d on d.seq = u.seq and d.recipient = ?1
     order by d.sender`,
    member.id,
    0,
  )
  const revoked = [...endTokens(db, member), ...endSessionsOf(db, member.id)]
  const expired = db.run(
    `update delivery set expired_at = ?3, changed = ?4 where recipient = ?1 and seq in (select seq from (${unreadSeqs}))`,
    member.id,
    0,
    time,
    seq,
  )
  db.run('delete from unread where recipient = ?', member.id)
  stopCountingShares(db, member.id)
  deleteLaterOf(db, member.id)
  deleteUntoldOf(db, member.id)
  db.run('delete from project where member = ?', member.id)
  db.run('delete from project_inbox where recipient = ?', member.id)
  deleteWebhook(db, member.id)
  db.run('delete from alias where member = ?', member.id)
  db.run('delete from group_member where member = ?', member.id)
  db.run('update member set owner = null where owner = ?', member.id)
  db.run(
    `update member set name = name || '#' || id, owner = null, bound_to = null, unread = 0, unread_bytes = 0, project_unread = 0, deleted_at = ? where id = ?`,
    time,
    member.id,
  )
  return done<Delete>({ name: member.name, expired }, { revoked, wake: senders.map(({ sender }) => sender) })
}

function endTokens(db: Database, member: MemberRow): string[] {
  const ended = tokensOf(db, member)
  db.run('delete from token where member = ?', member.id)
  db.run('delete from ended_token where member = ?', member.id)
  db.run('delete from invite where member = ?', member.id)
  return ended
}

/** Returns the public ids of a member's tokens. */
export function tokensOf(db: Database, member: MemberRow): string[] {
  return db.all<{ id: string }>('select id from token where member = ? order by id', member.id).map(({ id }) => id)
}
