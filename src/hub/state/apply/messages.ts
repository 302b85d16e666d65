import { defaultWithinS, type Intent } from '../../../protocol/messages.ts'
import { lookupForm } from '../../../protocol/names.ts'
import { type CommandOf, type DatedEntry, done, type Outcome } from '../commands.ts'
import { contentHash } from '../content-hash.ts'
import { type Addressees, addresseesOf } from '../query/addressees.ts'
import { knowsLater } from '../query/known-members.ts'
import { isProject } from '../query/projects.ts'
import { recipientsOf } from '../query/recipients.ts'
import { type Refused, refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { type Admission, admit } from './admission.ts'
import { ackDeliveries } from './inbox.ts'
import { boundLater, repeatLater, storeLater } from './later.ts'
import { limits } from './limits.ts'
import { countForProject } from './projects.ts'
import { takeRoom } from './room.ts'
import { sealedBefore, storeSeal } from './webhook-rows.ts'

type Send = CommandOf<'message.send'>

/** From this version of entries on, a question to several gathers its answers. */
const gatherVersion = 3

/** Stores a message and one delivery per recipient. A message id that is in use has its first outcome. */
export function applySend(db: Database, { v = 1, seq, time, steady, command }: DatedEntry<Send>): Outcome<Send> {
  const named = JSON.stringify(command.to)
  const { body, replyTo = null, intent: chosen = null, expiresInS = null, at = null } = command
  const hash = contentHash({ named, body, replyTo, intent: chosen, expiresInS, at })
  const id = command.received?.seal === undefined ? command.id : (sealedBefore(db, command) ?? command.id)
  const earlier = db.get<StoredSend>('select id, seq, sender, sent_at, hash, outcome from message where id = ?', id)
  if (earlier) return repeatSend(db, command, hash, earlier)
  const waiting = knowsLater(db) ? boundLater(db, command.id) : undefined
  if (waiting) return repeatLater(command, hash, waiting)

  const resolved = addresseesOf(db, command.by, command.to, v)
  if ('ok' in resolved) return resolved
  const answered = answeredBy(db, command)
  const refusal = whyNotSent(command, resolved, answered)
  if (refusal) return refusal
  const arrived = { named, hash, resolved, answered }
  if (command.at === undefined) return storeSend(db, { v, seq, time, steady, command }, arrived)
  if (command.at > time) return storeLater(db, { seq, time, steady, command }, { hash, at: command.at, resolved })
  if (!command.wasKept && command.at < time - limits.laterSlackMs)
    return refuse('invalid', { code: 'at_past', at: command.at, now: time })
  return storeSend(db, { v, seq, time, steady, command }, { ...arrived, later: { dueAt: command.at } })
}

/** Returns the reason to refuse a send before its recipients are checked; undefined for none. */
function whyNotSent(
  command: Send,
  { members, unknown }: Addressees,
  answered: Answered | undefined,
): Refused | undefined {
  if (unknown.some(name => lookupForm(name) === 'hub')) return refuse('not_found', { code: 'hub_reads_nothing' })
  if (unknown.length > 0) return refuse('not_found', { code: 'no_recipients', names: unknown })
  const service = members.find(({ kind }) => kind === 'service')
  if (service) return refuse('invalid', { code: 'service_reads_nothing', name: service.name })
  if (command.replyTo !== undefined && command.mustKnowReply && !answered)
    return refuse('not_found', { code: 'reply_unknown', id: command.replyTo })
  return members.length === 0 ? refuse('not_found', { code: 'reaches_nobody' }) : undefined
}

/** A send whose id is free and whose recipients are resolved. */
export interface Arrived {
  /** The sender's `to`, in JSON. */
  named: string
  hash: Buffer
  resolved: Addressees
  answered: Answered | undefined
  /** Of a scheduled message: the time it was due, and, if it has waited here, the time it was written. */
  later?: { dueAt: number; writtenAt?: number }
}

/** Checks each recipient, and stores the message with a delivery for each who accepts it. */
export function storeSend(
  db: Database,
  { v = 1, seq, time, steady, command }: DatedEntry<Send>,
  { named, hash, resolved, answered, later }: Arrived,
): Outcome<Send> {
  const { members, isCrowd } = resolved
  const bytes = Buffer.byteLength(command.body)
  const arriving = { sender: command.by, bytes, time, isUrgent: command.intent === 'urgent' }
  const projects = withAsker(db, resolved, answered)
  const admissions = members.map(member => ({
    recipient: member,
    ...admit(db, member, { ...arriving, project: projects.get(member.id) }),
  }))
  const recipients = admissions.map(({ outcome }) => outcome)
  if (recipients.every(({ status }) => status === 'refused')) return { ok: false, refusal: admissions[0]!.refusal! }

  const intent = command.intent ?? defaultIntent(isCrowd)
  const isQuestionToSeveral =
    v >= gatherVersion && intent !== 'inform' && recipients.filter(({ status }) => status === 'stored').length > 1
  const lifeMs = command.expiresInS === undefined ? null : command.expiresInS * 1000
  db.run(
    `insert into message (seq, id, sender, sent_at, named, intent, reply_to, expires_at, expires_steady, gathers_until, body, hash, outcome,
       from_project)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    seq,
    command.id,
    command.by,
    time,
    named,
    intent,
    command.replyTo ?? null,
    lifeMs && time + lifeMs,
    lifeMs && steady + lifeMs,
    isQuestionToSeveral ? steady + (command.withinS ?? defaultWithinS) * 1000 : null,
    command.body,
    hash,
    JSON.stringify(recipients),
    command.fromProject || null,
  )
  if (later) {
    const { dueAt, writtenAt = null } = later
    db.run('update message set due_at = ?, written_at = ? where seq = ?', dueAt, writtenAt, seq)
  }
  if (command.received?.seal !== undefined) storeSeal(db, steady, command)
  const taken = admissions.filter(({ outcome }) => outcome.status === 'stored')
  storeDeliveries(db, seq, command.by, taken)
  takeRoom(
    db,
    taken.map(({ recipient }) => recipient),
    { sender: command.by, bytes },
  )
  for (const { outcome } of taken)
    if (outcome.project !== undefined) countForProject(db, outcome.member, outcome.project, 1)
  const wake = taken.map(({ outcome }) => outcome.member)
  const notTo = taken.filter(({ handling }) => handling === 'mute').map(({ outcome }) => outcome.member)
  if (command.replyTo) {
    const { senders } = ackDeliveries(db, { seq, time }, command.by, [command.replyTo], command.fromProject)
    wake.push(...senders)
    notTo.push(...senders)
    if (isOfDoor(command)) noteAnswer(db, command.replyTo, command.by)
  }
  const delivery = { seq, id: command.id, from: command.by, intent, notTo, ...(projects.size > 0 && { projects }) }
  return done<Send>({ id: command.id, seq, sentAt: time, recipients, repeated: false }, { wake, delivery })
}

/** Stores one delivery for each of `taken`: with one statement, which takes longer for a single one than the plain form. */
function storeDeliveries(db: Database, seq: number, sender: number, taken: readonly Admission[]): void {
  if (taken.length === 1) {
    const { outcome, handling } = taken[0]!
    db.run(
      'insert into delivery (recipient, seq, sender, handling, project) values (?, ?, ?, ?, ?)',
      outcome.member,
      seq,
      sender,
      handling,
      outcome.project ?? null,
    )
    return
  }
  db.run(
    `insert into delivery (recipient, seq, sender, handling, project)
     select value ->> 0, ?1, ?2, value ->> 1, value ->> 2 from json_each(?3)`,
    seq,
    sender,
    JSON.stringify(taken.map(({ outcome, handling }) => [outcome.member, handling, outcome.project ?? null])),
  )
}

/** A message that is answered: its sender, and the project from which it was sent. */
interface Answered {
  sender: number
  project: string | null
}

/**
 * Returns the message that `replyTo` names, if the sender of the answer wrote it, received it, or was shown it on Telegram; without
 * `mustKnowReply`, any message.
 */
export function answeredBy(
  db: Database,
  { by, replyTo, mustKnowReply, answersFor = 0, shownAt }: Send,
): Answered | undefined {
  if (replyTo === undefined) return undefined
  if (!mustKnowReply) return db.get('select sender, from_project as project from message where id = ?', replyTo)
  return db.get<Answered>(
    `select m.sender, m.from_project as project from message m where m.id = ?1 and (m.sender = ?2
       or exists (select 1 from delivery d where d.recipient = ?2 and d.seq = m.seq)
       or exists (select 1 from delivery d join member x on x.id = d.recipient
         where d.recipient = ?3 and d.seq = m.seq and x.owner = ?2)
       or exists (select 1 from telegram_route r where r.chat = ?4 and r.message = ?5 and r.seq = m.seq))`,
    ...[replyTo, by, answersFor, shownAt?.chat ?? 0, shownAt?.message ?? 0],
  )
}

/**
 * Returns the projects that a message is for: an answer goes to the project that asked, while that is known, unless it names another or is
 * for a crowd.
 */
function withAsker(db: Database, { members, projects, isCrowd }: Addressees, answered: Answered | undefined) {
  if (!answered?.project || isCrowd || projects.has(answered.sender)) return projects
  const { sender, project } = answered
  if (!members.some(({ id }) => id === sender) || !isProject(db, sender, project)) return projects
  return new Map([...projects, [sender, project]])
}

/**
 * Reports whether this may be an answer in the place of a machine: only a person's own doors, Telegram and the console, set these fields.
 */
function isOfDoor({ answersFor, shownAt }: Send): boolean {
  return answersFor !== undefined || shownAt !== undefined
}

/** Marks the copies of `id` in the inboxes of `by`'s machines as answered by `by`. They stay unread. */
function noteAnswer(db: Database, id: string, by: number): void {
  db.run(
    `update delivery set answered_by = ?1 where seq = (select seq from message where id = ?2)
       and recipient in (select id from member where owner = ?1 and kind = 'machine')`,
    ...[by, id],
  )
}

interface StoredSend {
  id: string
  seq: number
  sender: number
  sent_at: number
  hash: Uint8Array
  outcome: string
}

/** Returns the first outcome for the same message; a conflict for another message under its id, whoever sends it. */
function repeatSend(db: Database, command: Send, hash: Buffer, earlier: StoredSend): Outcome<Send> {
  const isSame = command.received !== undefined || hash.equals(earlier.hash)
  if (earlier.sender !== command.by || !isSame) {
    return refuse('conflict', { code: 'message_id_taken', id: command.id })
  }
  const { id, seq, sent_at: sentAt } = earlier
  return done<Send>({ id, seq, sentAt, recipients: recipientsOf(db, earlier), repeated: true })
}

/** The intent when the sender gives none: `request` for single recipients, `inform` for a crowd. */
function defaultIntent(isCrowd: boolean): Intent {
  return isCrowd ? 'inform' : 'request'
}
