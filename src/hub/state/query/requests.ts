import type { Intent } from '../../../protocol/messages.ts'
import type { RecipientOutcome } from '../commands.ts'
import { indexForReader } from '../local/history-index.ts'
import type { Database } from '../store/database.ts'

/** A message that wants an answer, and who has not answered it. */
export interface OpenRequest {
  id: string
  sentAt: number
  intent: Intent
  /** The first characters of its text. */
  beginning: string
  waitingFor: { name: string; status: 'stored' | 'fetched' | 'acked' }[]
}

/** How many of a sender's messages, newest first, are looked through. Older requests are history. */
const maxLooked = 500

/** How long a request counts as open, in ms. */
const openForMs = 30 * 24 * 3600_000

/** Most requests in one answer. */
const maxOpen = 20

/**
 * What `sender` has asked and not everybody has answered, newest first. A request is answered by a message of its recipient that
 * replies to it; one that expired unread waits for nobody.
 */
export function openRequests(db: Database, sender: number, now: number): OpenRequest[] {
  indexForReader(db)
  const rows = db.all<{ id: string; seq: number; sentAt: number; intent: Intent; beginning: string; outcome: string }>(
    `select m.id, m.seq, m.sent_at as sentAt, m.intent, substr(m.body, 1, 200) as beginning, m.outcome
     from (select seq from sent where sender = ? order by seq desc limit ?) x join message m on m.seq = x.seq
     where m.intent <> 'inform' and m.sent_at > ? order by m.seq desc`,
    sender,
    maxLooked,
    now - openForMs,
  )
  const open: OpenRequest[] = []
  for (const { outcome, seq, ...request } of rows) {
    const stored = (JSON.parse(outcome) as RecipientOutcome[]).filter(({ status }) => status === 'stored')
    const waitingFor = stored.flatMap(({ member }) => waitsFor(db, request.id, seq, member))
    if (waitingFor.length > 0) open.push({ ...request, waitingFor })
    if (open.length === maxOpen) break
  }
  return open
}

/** When `sender` answered message `id` first, ms since 1970; undefined when it has not. */
export function answeredAt(db: Database, id: string, sender: number): number | undefined {
  return db.get<{ at: number }>(
    `select m.sent_at as at from answer a join message m on m.seq = a.seq
     where a.reply_to = ? and a.sender = ? order by a.seq limit 1`,
    id,
    sender,
  )?.at
}

function waitsFor(db: Database, id: string, seq: number, member: number): OpenRequest['waitingFor'] {
  if (answeredAt(db, id, member) !== undefined) return []
  const row = db.get<{ name: string; fetched_at: number | null; acked_at: number | null; expired_at: number | null }>(
    `select m.name, d.fetched_at, d.acked_at, d.expired_at from delivery d join member m on m.id = d.recipient
     where d.seq = ? and d.recipient = ? and m.deleted_at is null`,
    seq,
    member,
  )
  if (!row || row.expired_at !== null) return []
  return [{ name: row.name, status: row.acked_at !== null ? 'acked' : row.fetched_at !== null ? 'fetched' : 'stored' }]
}
