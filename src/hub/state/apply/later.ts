import { type CommandOf, type DatedEntry, done, type Outcome, type RecipientOutcome } from '../commands.ts'
import type { Addressees } from '../query/addressees.ts'
import { type MemberRow, memberMeant } from '../query/find-member.ts'
import { forgetMembers } from '../query/known-members.ts'
import { refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { refusalOf } from './admission.ts'
import { limits } from './limits.ts'
import { splitAddress } from './split-address.ts'
import { beginningOf, noteUntold } from './untold.ts'

type Send = CommandOf<'message.send'>
type Cancel = CommandOf<'later.cancel'>

/**
 * A scheduled message until it is due. Names and aliases are resolved to members when it is written, so a member who is renamed still gets it.
 * Groups and `all` are resolved when it is due.
 */
export interface LaterContent {
  /** The send to carry out when it is due. */
  send: Omit<Send, 'at' | 'wasKept' | 'mustKnowReply'>
  /** Ids of the members that names meant, by the name as it was typed. */
  meant: Record<string, number>
}

/** A scheduled message whose id is in use. */
export interface LaterRow {
  id: string
  seq: number
  sender: number
  written_at: number
  due_at: number
  content: string | null
  hash: Uint8Array
  outcome: string
  ended: 'cancelled' | 'refused' | null
}

export function boundLater(db: Database, id: string): LaterRow | undefined {
  return db.get<LaterRow>(
    'select id, seq, sender, written_at, due_at, content, hash, outcome, ended from later where id = ?',
    id,
  )
}

/**
 * Stores a message that is to be delivered later. The recipients' policies are checked now as well as when it is due, the room of their
 * inboxes only then.
 */
export function storeLater(
  db: Database,
  { seq, time, steady, command }: DatedEntry<Send>,
  { hash, at, resolved: { members, projects } }: { hash: Buffer; at: number; resolved: Addressees },
): Outcome<Send> {
  if (at - time > limits.laterAheadMs) return refuse('invalid', { code: 'at_too_far', at, now: time })
  const recipients = members.map(member => expected(member, command.by, projects.get(member.id)))
  if (recipients.every(({ status }) => status === 'refused'))
    return { ok: false, refusal: refusalOf(members[0]!.name, { code: 'takes_none' }, time) }
  const { waiting } = db.get<{ waiting: number }>(
    'select count(*) as waiting from later where sender = ? and ended is null',
    command.by,
  )!
  const most = limits.laterPerSender
  if (waiting >= most) return refuse('rate_limited', { code: 'later_full', most })

  const { at: _, wasKept: __, mustKnowReply: ___, ...send } = command
  const content: LaterContent = { send, meant: meantBy(db, command.to) }
  db.run(
    `insert into later (id, seq, sender, written_at, due_at, due_steady, content, hash, outcome)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[command.id, seq, command.by, time, at, steady + at - time],
    ...[JSON.stringify(content), hash, JSON.stringify(recipients)],
  )
  forgetMembers(db)
  return done<Send>({ id: command.id, seq, sentAt: time, recipients, repeated: false, at })
}

/** Returns the first outcome for a repetition while the message waits; after that, a refusal that names how it ended. */
export function repeatLater(command: Send, hash: Buffer, earlier: LaterRow): Outcome<Send> {
  const { id, seq, sender, written_at: sentAt, due_at: at, outcome, ended } = earlier
  if (sender !== command.by || !hash.equals(earlier.hash)) return refuse('conflict', { code: 'message_id_taken', id })
  if (ended) return refuse('conflict', { code: `later_${ended}`, id })
  const recipients = JSON.parse(outcome) as RecipientOutcome[]
  return done<Send>({ id, seq, sentAt, recipients, repeated: true, at })
}

/** Cancels a scheduled message of `by` that waits. A repetition has the same outcome. */
export function applyCancel(db: Database, { steady, command: { by, id } }: DatedEntry<Cancel>): Outcome<Cancel> {
  const row = boundLater(db, id)
  if (row?.sender === by) {
    if (row.ended === 'refused') return refuse('conflict', { code: 'later_refused', id })
    if (!row.ended) endLater(db, id, 'cancelled', steady)
    return done<Cancel>({ id })
  }
  const delivered = db.get<{ at: number }>(
    'select sent_at as at from message where id = ? and sender = ? and due_at is not null',
    id,
    by,
  )
  if (delivered) return refuse('conflict', { code: 'later_delivered', id, at: delivered.at })
  return refuse('not_found', { code: 'no_later', id })
}

/** Cancels all scheduled messages of a member whose tokens ended, and records that for the member. Returns their number. */
export function cancelAllOf(db: Database, steady: number, sender: number): number {
  const waiting = db.all<{ id: string; content: string }>(
    'select id, content from later where sender = ? and ended is null order by due_at, seq',
    sender,
  )
  for (const { id, content } of waiting) {
    const { send } = JSON.parse(content) as LaterContent
    const project = send.fromProject || undefined
    noteUntold(db, sender, { what: 'cancelled', id, to: send.to, beginning: beginningOf(send.body), project })
    endLater(db, id, 'cancelled', steady)
  }
  return waiting.length
}

export function endLater(db: Database, id: string, how: 'cancelled' | 'refused', steady: number): void {
  db.run('update later set ended = ?, ended_steady = ?, content = null where id = ?', how, steady, id)
}

/** Deletes all scheduled messages of a member that is deleted. */
export function deleteLaterOf(db: Database, sender: number): void {
  db.run('delete from later where sender = ?', sender)
}

function expected(
  { id, name, kind, inbound }: MemberRow,
  sender: number,
  project: string | undefined,
): RecipientOutcome {
  const place = project === undefined ? undefined : { project }
  if (inbound === 'refuse' && id !== sender)
    return { member: id, name, kind, status: 'refused', ...place, reason: { code: 'takes_none' } }
  return { member: id, name, kind, status: 'later', ...place }
}

function meantBy(db: Database, to: readonly string[]): Record<string, number> {
  const meant = to.flatMap(typed => {
    const member = memberMeant(db, splitAddress(typed).name)
    return member ? [[typed, member.id] as const] : []
  })
  return Object.fromEntries(meant)
}
