import type { InboxMessage, MemberKind } from '../../../protocol/messages.ts'
import type { RecipientOutcome } from '../commands.ts'
import { storedReasonInWords } from '../refusal-words.ts'
import type { Database } from '../store/database.ts'
import { timestamp } from '../timestamp.ts'
import { type MessageRow, messageColumns, toMessage } from './inbox.ts'
import { unlessUnreadable } from './read-round.ts'
import type { LateAnswers } from './requests.ts'

/** What became of a message at one recipient. */
export interface DeliveryState {
  member: number
  name: string
  kind: MemberKind
  status: 'stored' | 'fetched' | 'acked' | 'expired' | 'refused'
  reason?: string
  fetchedAt?: string
  fetchedBySession?: string
  ackedAt?: string
  answeredAt?: string
  expiredAt?: string
}

/** A message as it was sent, and what became of it. */
export interface Sent {
  message: Omit<InboxMessage, 'fetchedBy' | 'muted' | 'answeredBy'>
  deliveries: DeliveryState[]
}

/**
 * A message with its deliveries, as `reader` may see it: its sender all of them, a recipient its own. Undefined for a message
 * that does not exist and for one that is none of the reader's business, alike.
 */
export function messageFor(db: Database, reader: number, id: string): Sent | undefined {
  const seq = db.get<{ seq: number }>('select seq from message where id = ?', id)?.seq
  return seq === undefined ? undefined : messageAt(db, reader, seq)
}

/**
 * The same by `seq`. `late` has the answers that the index of answers has not come to yet; without it they are missing. Where the store
 * is damaged, answers and then deliveries are missing, and undefined is returned when the message itself cannot be read.
 */
export function messageAt(db: Database, reader: number, seq: number, late: LateAnswers = new Map()): Sent | undefined {
  const row = unlessUnreadable(() =>
    db.get<MessageRow & { sender_id: number; outcome: string }>(
      `select ${messageColumns}, m.sender as sender_id, m.outcome from message m join member s on s.id = m.sender where m.seq = ?`,
      seq,
    ),
  )
  if (!row) return undefined
  const recipients = JSON.parse(row.outcome) as RecipientOutcome[]
  const only = row.sender_id === reader ? undefined : reader
  const shown = only === undefined ? recipients : recipients.filter(({ member }) => member === only)
  if (shown.length === 0) return undefined
  const deliveries =
    unlessUnreadable(() => deliveriesOf(db, row, only, answeredAt)) ??
    unlessUnreadable(() => deliveriesOf(db, row, only, unanswered))
  // Whether it was held is not known any more.
  if (!deliveries) return { message: { ...toMessage(row), ...(only !== undefined && { held: true }) }, deliveries: [] }
  const rows = new Map(deliveries.map(delivery => [delivery.member, delivery]))
  // What a member wrote itself is no secret to it.
  const held = only !== undefined && rows.get(only)?.handling === 'hold' && { held: true as const }
  return {
    message: { ...toMessage(row), ...held },
    deliveries: shown.map(recipient => deliveryState(db, row.id, recipient, rows.get(recipient.member), late)),
  }
}

/** When a delivery of the message with the id `?2` was answered, by the index of answers; or null, whatever that has. */
const answeredAt = `(select g.sent_at from answer a join message g on g.seq = a.seq
  where a.reply_to = ?2 and a.sender = d.recipient order by a.seq limit 1)`
const unanswered = 'nullif(?2, ?2)'

interface DeliveryRow {
  member: number
  name: string
  fetched_at: number | null
  fetched_by: string | null
  acked_at: number | null
  expired_at: number | null
  handling: string | null
  answered_at: number | null
}

function deliveriesOf(db: Database, { seq, id }: MessageRow, only: number | undefined, answer: string): DeliveryRow[] {
  return db.all<DeliveryRow>(
    `select d.recipient as member, r.name, d.fetched_at, d.fetched_by, d.acked_at, d.expired_at, d.handling,
       ${answer} as answered_at
     from delivery d join member r on r.id = d.recipient where d.seq = ?1 ${only === undefined ? '' : 'and d.recipient = ?3'}`,
    ...[seq, id],
    ...(only === undefined ? [] : [only]),
  )
}

function deliveryState(
  db: Database,
  id: string,
  { member, name: nameThen, kind, ...outcome }: RecipientOutcome,
  row: DeliveryRow | undefined,
  late: LateAnswers,
): DeliveryState {
  if (outcome.status === 'refused' || !row) {
    const { name } = db.get<{ name: string }>('select name from member where id = ?', member) ?? { name: nameThen }
    return { member, name, kind, status: 'refused', reason: storedReasonInWords(name, outcome.reason) }
  }
  const { name, fetched_at, fetched_by, acked_at, expired_at } = row
  const answered = row.answered_at ?? late.get(id)?.get(member)
  const status = acked_at ? 'acked' : expired_at ? 'expired' : fetched_at ? 'fetched' : 'stored'
  return {
    member,
    name,
    kind,
    status,
    ...(fetched_at && fetched_by && { fetchedAt: timestamp(fetched_at), fetchedBySession: fetched_by }),
    ...(acked_at && { ackedAt: timestamp(acked_at) }),
    ...(answered && { answeredAt: timestamp(answered) }),
    ...(expired_at && { expiredAt: timestamp(expired_at) }),
  }
}
