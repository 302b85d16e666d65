import type { Intent } from '../../../protocol/messages.ts'
import type { Database } from '../store/database.ts'
import { hubItself } from './find-member.ts'
import { newestSeq, readAroundDamage, unlessUnreadable } from './read-around-damage.ts'
import { type Eyes, sees } from './viewer.ts'

/** A message that requires an answer, and the recipients who have not answered it. */
export interface OpenRequest {
  id: string
  /** The sender of the request. */
  sender: number
  sentAt: number
  intent: Intent
  /** The first characters of its text. */
  beginning: string
  waitingFor: { name: string; project?: string; status: 'stored' | 'fetched' | 'acked' }[]
}

/** Number of a sender's newest messages that are searched. Older requests do not count as open. */
export const maxLooked = 500

/** Time that a request counts as open, in ms. */
export const openForMs = 30 * 24 * 3600_000

/** Most requests in one result. */
const maxOpen = 20

/** Most names of recipients who have not answered in one result: further requests, which are older, are left out. */
const maxNames = 2000

/**
 * Returns the requests of `sender` that not every recipient has answered, newest first. A request is answered by a reply of its recipient,
 * or of the owner in its place; one that expired unread is not open. Of a damaged store, those that can be read. Uses `in_time()`: see
 * `Database.addCheck`.
 */
export function openRequests(db: Database, sender: number, now: number): OpenRequest[] {
  return stillOpen(db, requestsBy(db, sender, now - openForMs))
}

/** Up to this number, senders are looked up one by one; for more, the newest messages of all are searched. */
const fewSenders = 20

/** Number of messages of all senders that are searched. */
const maxLookedOfAll = 5000

/** Returns the open requests of all members in `eyes` together, newest first. */
export function openRequestsSeen(db: Database, eyes: Eyes, now: number): OpenRequest[] {
  const since = now - openForMs
  if (eyes === 'all' || eyes.size > fewSenders)
    return stillOpen(
      db,
      newestRequests(db, since).filter(({ sender }) => sees(eyes, sender) && sender !== hubItself),
    )
  const rows = [...eyes].flatMap(sender => requestsBy(db, sender, since))
  return stillOpen(
    db,
    rows.sort((a, b) => b.seq - a.seq),
  )
}

function stillOpen(db: Database, rows: RequestRow[]): OpenRequest[] {
  const late = lateAnswers(db)
  const open: OpenRequest[] = []
  let names = 0
  for (const { seq, ...request } of rows) {
    const answered = late.get(request.id)
    const waitingFor = (unlessUnreadable(() => waitingForOf(db, request.id, seq)) ?? [])
      .filter(({ member, answeredBy }) => !answered?.has(member) && !(answeredBy && answered?.has(answeredBy)))
      .map(({ name, project, status }) => ({ name, ...(project && { project }), status }))
    if (waitingFor.length === 0) continue
    names += waitingFor.length
    if (open.length > 0 && names > maxNames) break
    if (open.push({ ...request, waitingFor }) === maxOpen) break
  }
  return open
}

interface RequestRow {
  id: string
  seq: number
  sender: number
  sentAt: number
  intent: Intent
  beginning: string
}

const requestColumns = 'm.id, m.seq, m.sender, m.sent_at as sentAt, m.intent, substr(m.body, 1, 200) as beginning'

function requestsBy(db: Database, sender: number, since: number): RequestRow[] {
  return unlessUnreadable(() => requestsOf(db, sender, since)) ?? requestsAround(db, sender, since)
}

/** Returns the requests among the newest messages of all members. */
function newestRequests(db: Database, since: number): RequestRow[] {
  const { rows } = readAroundDamage(
    (after, upTo, most) =>
      db.all<RequestRow>(
        `select ${requestColumns} from message m where m.seq > ? and m.seq <= ? and in_time() order by m.seq desc limit ?`,
        ...[after, upTo, most],
      ),
    ...[0, newestSeq(db), maxLookedOfAll],
    'newest first',
  )
  return rows.filter(({ intent, sentAt }) => intent !== 'inform' && sentAt > since)
}

function requestsOf(db: Database, sender: number, since: number): RequestRow[] {
  return db.all<RequestRow>(
    `select ${requestColumns}
     from (
       select seq from (select seq from sent where sender = ?1 order by seq desc limit ?2)
       union
       select seq from (select seq from message where seq > (select seq from history_position) and sender = ?1
         order by seq desc limit ?2)
       order by seq desc limit ?2
     ) x join message m on m.seq = x.seq
     where m.intent <> 'inform' and m.sent_at > ?3 order by m.seq desc`,
    sender,
    maxLooked,
    since,
  )
}

function requestsAround(db: Database, sender: number, since: number): RequestRow[] {
  const { rows } = readAroundDamage(
    (after, upTo, most) =>
      db.all<RequestRow>(
        `select ${requestColumns} from message m
         where m.sender = ? and m.seq > ? and m.seq <= ? and m.intent <> 'inform' and m.sent_at > ? and in_time()
         order by m.seq desc limit ?`,
        sender,
        after,
        upTo,
        since,
        most,
      ),
    0,
    newestSeq(db),
    maxLooked,
    'newest first',
  )
  return rows
}

/** The first answer of each member, by the id of the answered message and the member: its time, in ms since 1970, and its id. */
export type LateAnswers = ReadonlyMap<string, ReadonlyMap<number, { at: number; id: string }>>

/** Returns the answers that are not indexed yet. Of a damaged store, those that can be read. */
export function lateAnswers(db: Database): LateAnswers {
  const late = new Map<string, Map<number, { at: number; id: string }>>()
  const { rows } = readAroundDamage(
    (after, upTo, most) =>
      db.all<{ replyTo: string; sender: number; at: number; id: string }>(
        `select reply_to as replyTo, sender, sent_at as at, id from message
         where seq > ? and seq <= ? and reply_to is not null order by seq limit ?`,
        after,
        upTo,
        most,
      ),
    db.get<{ seq: number }>('select seq from history_position')!.seq,
    newestSeq(db),
    Number.MAX_SAFE_INTEGER,
  )
  for (const { replyTo, sender, at, id } of rows) {
    const answers = late.get(replyTo) ?? new Map<number, { at: number; id: string }>()
    if (!answers.has(sender)) late.set(replyTo, answers.set(sender, { at, id }))
  }
  return late
}

function waitingForOf(
  db: Database,
  id: string,
  seq: number,
): {
  member: number
  answeredBy: number | null
  name: string
  project: string | null
  status: 'stored' | 'fetched' | 'acked'
}[] {
  return db.all(
    `select d.recipient as member, d.answered_by as answeredBy, m.name, d.project,
       iif(d.acked_at is not null, 'acked', iif(d.fetched_at is not null, 'fetched', 'stored')) as status
     from delivery d join member m on m.id = d.recipient
     where d.seq = ?1 and d.expired_at is null and m.deleted_at is null and in_time()
       and not exists (select 1 from answer a where a.reply_to = ?2 and a.sender in (d.recipient, d.answered_by))`,
    seq,
    id,
  )
}
