import type { InboxMessage, MemberKind } from '../../../protocol/messages.ts'
import type { RecipientOutcome } from '../commands.ts'
import type { Database } from '../store/database.ts'
import { timestamp } from '../timestamp.ts'
import { type MessageRow, messageColumns, toMessage } from './inbox.ts'
import { answeredAt } from './requests.ts'

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

/**
 * A message with its deliveries, as `reader` may see it: its sender all of them, a recipient its own. Undefined for a message
 * that does not exist and for one that is none of the reader's business, alike.
 */
export function messageFor(
  db: Database,
  reader: number,
  id: string,
): { message: Omit<InboxMessage, 'fetchedBy' | 'muted' | 'answeredBy'>; deliveries: DeliveryState[] } | undefined {
  const row = db.get<MessageRow & { sender_id: number; outcome: string }>(
    `select ${messageColumns}, m.sender as sender_id, m.outcome from message m join member s on s.id = m.sender where m.id = ?`,
    id,
  )
  if (!row) return undefined
  const recipients = JSON.parse(row.outcome) as RecipientOutcome[]
  const shown = row.sender_id === reader ? recipients : recipients.filter(({ member }) => member === reader)
  if (shown.length === 0) return undefined
  const held = isHeld(db, reader, row) && { held: true as const }
  return {
    message: { ...toMessage(row), ...held },
    deliveries: shown.map(recipient => deliveryState(db, row, recipient)),
  }
}

/** Whether the reader was sent this message and its policy holds it for its user. What a member wrote itself is no secret to it. */
function isHeld(db: Database, reader: number, { seq, sender_id }: { seq: number; sender_id: number }): boolean {
  const row = db.get<{ handling: string | null }>(
    'select handling from delivery where recipient = ? and seq = ?',
    reader,
    seq,
  )
  return row?.handling === 'hold' && sender_id !== reader
}

function deliveryState(db: Database, { seq, id }: MessageRow, recipient: RecipientOutcome): DeliveryState {
  const { member, kind, reason } = recipient
  const { name } = db.get<{ name: string }>('select name from member where id = ?', member) ?? recipient
  if (recipient.status === 'refused') return { member, name, kind, status: 'refused', reason }
  const row = db.get<{
    fetched_at: number | null
    fetched_by: string | null
    acked_at: number | null
    expired_at: number | null
  }>('select fetched_at, fetched_by, acked_at, expired_at from delivery where recipient = ? and seq = ?', member, seq)!
  const { fetched_at, fetched_by, acked_at, expired_at } = row
  const answered = answeredAt(db, id, member)
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
