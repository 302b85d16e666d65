import type { InboxMessage, MemberKind } from '../../../protocol/messages.ts'
import type { RecipientOutcome } from '../commands.ts'
import { storedReasonInWords } from '../refusal-words.ts'
import type { Database } from '../store/database.ts'
import { timestamp } from '../timestamp.ts'
import { type MessageRow, messageColumns, toMessage } from './inbox.ts'
import { unlessUnreadable } from './read-around-damage.ts'
import { recipientsOf } from './recipients.ts'
import type { LateAnswers } from './requests.ts'
import { type Eyes, sees } from './viewer.ts'

/** The state of a message at one recipient. */
export interface DeliveryState {
  member: number
  name: string
  kind: MemberKind
  status: 'stored' | 'fetched' | 'acked' | 'expired' | 'refused'
  project?: string
  reason?: string
  fetchedAt?: string
  fetchedBySession?: string
  ackedAt?: string
  answeredAt?: string
  answerId?: string
  expiredAt?: string
  heldSince?: string
  toldAt?: string
  toldHow?: string
  shownTo?: { session: string; project?: string }
}

/** A message as it was sent, and the state of its deliveries. */
export interface Sent {
  message: Omit<InboxMessage, 'fetchedBy' | 'muted' | 'answeredBy'> & { bytes: number; withheld?: true }
  deliveries: DeliveryState[]
  /** For the sender of a question to several: the steady time up to which it gathers answers. */
  gathersUntil?: number
}

/**
 * Returns a message with the deliveries that `reader` may see: its sender sees all, a recipient its own, and `Eyes` on several members
 * everything that each of them may see. Returns undefined both for a message that does not exist and for one that the reader may not see.
 */
export function messageFor(db: Database, reader: number | Eyes, id: string): Sent | undefined {
  const seq = db.get<{ seq: number }>('select seq from message where id = ?', id)?.seq
  return seq === undefined ? undefined : messageAt(db, reader, seq)
}

/**
 * Returns the same by `seq`. `late` has the answers that are not indexed yet; without it they are missing. In a damaged store, answers and
 * then deliveries may be missing; undefined when the message itself cannot be read.
 */
export function messageAt(
  db: Database,
  reader: number | Eyes,
  seq: number,
  late: LateAnswers = new Map(),
): Sent | undefined {
  const row = unlessUnreadable(() =>
    db.get<MessageRow & { sender_id: number; outcome: string; gathers_until: number | null; bytes: number }>(
      `select ${messageColumns}, m.sender as sender_id, m.outcome, m.gathers_until, octet_length(m.body) as bytes
       from message m join member s on s.id = m.sender where m.seq = ?`,
      seq,
    ),
  )
  if (!row) return undefined
  const recipients = unlessUnreadable(() => recipientsOf(db, row))
  if (!recipients) return undefined
  const eyes = typeof reader === 'number' ? new Set([reader]) : reader
  const isWhole = sees(eyes, row.sender_id)
  const shown = isWhole ? recipients : recipients.filter(({ member }) => sees(eyes, member))
  if (shown.length === 0) return undefined
  const only = isWhole ? undefined : shown.map(({ member }) => member)
  const deliveries =
    unlessUnreadable(() => deliveriesOf(db, row, only, firstAnswer)) ??
    unlessUnreadable(() => deliveriesOf(db, row, only, noAnswer))
  // Whether the message was held can no longer be determined.
  const message = { ...toMessage(row), bytes: row.bytes }
  if (!deliveries) return { message: { ...message, ...(!isWhole && { held: true }) }, deliveries: [] }
  const rows = new Map(deliveries.map(delivery => [delivery.member, delivery]))
  // A member may always read its own messages.
  const own = only?.length === 1 ? rows.get(only[0]!) : undefined
  const held = own?.handling === 'hold' && { held: true as const }
  const project = own?.project && { project: own.project }
  return {
    message: { ...message, ...held, ...project },
    deliveries: shown.map(recipient => deliveryState(db, row, recipient, rows.get(recipient.member), late)),
    ...(isWhole && row.gathers_until !== null && { gathersUntil: row.gathers_until }),
  }
}

/** Returns the message without its text, for an admin who may not read it. */
export function withoutText({ message, ...sent }: Sent): Sent {
  return { ...sent, message: { ...message, body: '', withheld: true } }
}

/**
 * SQL of the seq of the first answer to a delivery of the message with the id `?2`, by the index of answers. `noAnswer` takes its place
 * when the index is not to be read.
 */
const firstAnswer = `(select a.seq from answer a
  where a.reply_to = ?2 and a.sender in (d.recipient, d.answered_by) order by a.seq limit 1)`
const noAnswer = 'nullif(?2, ?2)'

interface DeliveryRow {
  member: number
  name: string
  fetched_at: number | null
  fetched_by: string | null
  acked_at: number | null
  expired_at: number | null
  handling: string | null
  told_at: number | null
  told_how: string | null
  fetched_project: string | null
  answered_by: number | null
  project: string | null
  answered_at: number | null
  answer_id: string | null
}

function deliveriesOf(
  db: Database,
  { seq, id }: MessageRow,
  only: readonly number[] | undefined,
  answer: string,
): DeliveryRow[] {
  return db.all<DeliveryRow>(
    `select d.recipient as member, r.name, d.fetched_at, d.fetched_by, d.acked_at, d.expired_at, d.handling, d.project, d.told_at, d.told_how,
       d.fetched_project, d.answered_by, g.sent_at as answered_at, g.id as answer_id
     from delivery d join member r on r.id = d.recipient left join message g on g.seq = ${answer}
     where d.seq = ?1 ${only === undefined ? '' : 'and d.recipient in (select value from json_each(?3))'}`,
    ...[seq, id],
    ...(only === undefined ? [] : [JSON.stringify(only)]),
  )
}

function deliveryState(
  db: Database,
  { id, sent_at }: MessageRow,
  { member, name: nameThen, kind, ...outcome }: RecipientOutcome,
  row: DeliveryRow | undefined,
  late: LateAnswers,
): DeliveryState {
  if (outcome.status === 'refused' || !row) {
    const { name } = db.get<{ name: string }>('select name from member where id = ?', member) ?? { name: nameThen }
    const { project } = outcome
    const reason = storedReasonInWords(name, outcome.reason)
    return { member, name, kind, status: 'refused', ...(project && { project }), reason }
  }
  const { name, project, fetched_at, fetched_by, acked_at, expired_at, told_at, told_how, fetched_project } = row
  const lateOnes = late.get(id)
  const answer =
    row.answered_at && row.answer_id
      ? { at: row.answered_at, id: row.answer_id }
      : (lateOnes?.get(member) ?? (row.answered_by === null ? undefined : lateOnes?.get(row.answered_by)))
  const status = acked_at ? 'acked' : expired_at ? 'expired' : fetched_at ? 'fetched' : 'stored'
  return {
    member,
    name,
    kind,
    status,
    ...(project && { project }),
    ...(fetched_at && fetched_by && { fetchedAt: timestamp(fetched_at), fetchedBySession: fetched_by }),
    ...(acked_at && { ackedAt: timestamp(acked_at) }),
    ...(answer && { answeredAt: timestamp(answer.at), answerId: answer.id }),
    ...(expired_at && { expiredAt: timestamp(expired_at) }),
    ...(row.handling === 'hold' && { heldSince: timestamp(sent_at) }),
    ...(told_at && told_how && { toldAt: timestamp(told_at), toldHow: told_how }),
    ...(fetched_by && { shownTo: { session: fetched_by, ...(fetched_project && { project: fetched_project }) } }),
  }
}
