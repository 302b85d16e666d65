import type { Intent } from '../../../protocol/messages.ts'
import type { Database } from '../store/database.ts'
import { timestamp } from '../timestamp.ts'

/** A changed state of a delivery, with ids of members. */
export interface ChangedDelivery {
  id: string
  sender: number
  recipient: number
  status: 'told' | 'fetched' | 'acked' | 'expired'
  at: string
}

/** A message that was stored. Members are ids, times ms since 1970. */
export interface SentItem {
  kind: 'sent'
  seq: number
  id: string
  sender: number
  /** The recipients who accepted it. */
  recipients: number[]
  /** The names as the sender wrote them. */
  to: string[]
  intent: Intent
  bytes: number
  replyTo?: string
  sentAt: number
  beginning: string
}

/** A changed state of a delivery. */
export interface ChangedItem extends ChangedDelivery {
  kind: 'changed'
  seq: number
}

/** Members, their owners, names, groups or policies have changed. */
export interface MembersItem {
  kind: 'members'
  seq: number
}

export type TrafficItem = SentItem | ChangedItem | MembersItem

/** Most deliveries that are returned for one entry. */
const maxChanges = 1000

/** Returns the deliveries of messages of `senders` whose state the entry `seq` has changed. */
export function changedBy(db: Database, seq: number, senders: readonly number[]): ChangedDelivery[] {
  const rows = db.all<{
    id: string
    sender: number
    recipient: number
    fetched_at: number | null
    acked_at: number | null
    expired_at: number | null
  }>(
    `select m.id, d.sender, d.recipient, d.fetched_at, d.acked_at, d.expired_at
     from json_each(?1) s join delivery d on d.sender = s.value and d.changed = ?2 join message m on m.seq = d.seq
     order by d.seq, d.recipient limit ${maxChanges}`,
    JSON.stringify([...new Set(senders)]),
    seq,
  )
  return rows.map(({ fetched_at, acked_at, expired_at, ...delivery }) => {
    if (expired_at !== null) return { ...delivery, status: 'expired', at: timestamp(expired_at) }
    if (acked_at !== null) return { ...delivery, status: 'acked', at: timestamp(acked_at) }
    return { ...delivery, status: 'fetched', at: timestamp(fetched_at!) }
  })
}

/** Returns those of `ids` of which a session of `by` was notified at `time`. */
export function toldBy(
  db: Database,
  { by, ids, time }: { by: number; ids: readonly string[]; time: number },
): ChangedDelivery[] {
  return db
    .all<{ id: string; sender: number }>(
      `select m.id, d.sender from json_each(?1) asked join message m on m.id = asked.value
       join delivery d on d.seq = m.seq and d.recipient = ?2 where d.told_at = ?3 order by d.seq`,
      JSON.stringify(ids),
      by,
      time,
    )
    .map(row => ({ ...row, recipient: by, status: 'told', at: timestamp(time) }))
}

/** Returns the message that the entry `seq` has stored, with the first characters of its text; undefined when it stored none. */
export function messageOf(db: Database, seq: number, characters: number) {
  const row = db.get<{
    id: string
    sender: number
    named: string
    intent: Intent
    bytes: number
    replyTo: string | null
    sentAt: number
    beginning: string
  }>(
    `select id, sender, named, intent, octet_length(body) as bytes, reply_to as replyTo, sent_at as sentAt,
       substr(body, 1, ?2) as beginning from message where seq = ?1`,
    seq,
    characters,
  )
  if (!row) return undefined
  const { named, replyTo, ...message } = row
  const recipients = db
    .all<{ recipient: number }>('select recipient from delivery where seq = ? order by recipient', seq)
    .map(({ recipient }) => recipient)
  return { seq, ...message, to: JSON.parse(named) as string[], recipients, ...(replyTo !== null && { replyTo }) }
}

/** Reports whether a message is held for the user of its recipient. */
export function isHeld(db: Database, seq: number, recipient: number): boolean {
  const row = db.get<{ handling: string | null }>(
    'select handling from delivery where seq = ? and recipient = ?',
    seq,
    recipient,
  )
  return row?.handling === 'hold'
}
