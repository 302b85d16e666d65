import type { InboxMessage, Intent, SenderKind } from '../../../protocol/messages.ts'
import type { ProjectScope } from '../../../protocol/projects.ts'
import type { Handling } from '../apply/admission.ts'
import { isIntact, type StoredContent } from '../content-hash.ts'
import { unreadSeqs, unreadSeqsOf } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'
import { timestamp } from '../timestamp.ts'
import { hubItself } from './find-member.ts'
import { hasNoUnread } from './known-members.ts'
import { isInScope, projectShare } from './projects.ts'
import { unlessUnreadable } from './read-around-damage.ts'
import { type UnreadSeq, unreadSeqsAroundDamage } from './unread-around-damage.ts'

/** Columns of a message as a recipient reads it; `m` is the message, `s` its sender. */
export const messageColumns = `m.id, m.seq, s.name as sender, iif(s.id = ${hubItself}, 'hub', s.kind) as sender_kind, m.named,
  m.sent_at, m.reply_to, m.intent, m.expires_at, m.written_at, m.due_at, m.body, m.hash, m.text_deleted_at,
  m.from_project`

export interface MessageRow extends StoredContent {
  id: string
  seq: number
  sender: string
  sender_kind: SenderKind
  intent: Intent
  written_at: number | null
  text_deleted_at: number | null
  from_project: string | null
}

/** Shown instead of a text that differs from the one that was sent. */
export const damagedText =
  '[The disk of the hub has damaged this text, so it is not shown. Ask its sender to send it again.]'

const deliveryColumns = 'd.fetched_by, d.fetched_at, d.handling, d.project, d.answered_by'

export interface PageOptions {
  preview?: number
  scope?: ProjectScope
}

/**
 * Returns the unread messages of `member` after `afterSeq`, oldest first, at most `limit`, fewer when they are long. With `preview` every
 * text is cut to that many characters; with `scope`, messages for other projects are left out.
 */
export function unreadAfter(
  db: Database,
  member: number,
  afterSeq: number,
  limit: number,
  { preview, scope }: PageOptions = {},
): InboxMessage[] {
  const rows = db.all<UnreadRow>(
    `select ${messageColumns}, ${deliveryColumns}
     from (${scope === undefined ? unreadSeqs : unreadSeqsOf(4)} order by seq limit ?3) u join delivery d on d.seq = u.seq and d.recipient = ?1
     join message m on m.seq = u.seq join member s on s.id = d.sender order by u.seq`,
    ...[member, afterSeq, limit],
    ...(scope === undefined ? [] : [scope]),
  )
  const messages = rows.map(row => toUnread(db, row, preview))
  return fitsSurely(rows) ? messages : firstOf(messages)
}

/**
 * Returns a page of an inbox in a damaged store, without messages that cannot be read. `upTo` is the seq up to which all were tried,
 * `isEnd` whether nothing comes after it.
 */
export function unreadAround(
  db: Database,
  member: number,
  afterSeq: number,
  limit: number,
  { preview, scope }: PageOptions = {},
): { messages: InboxMessage[]; upTo: number; isEnd: boolean } {
  const messages: InboxMessage[] = []
  for (let upTo = afterSeq; ; ) {
    const found = unreadSeqsAroundDamage(db, member, upTo, limit)
    for (const each of found) {
      const { seq } = each
      upTo = seq
      if (!isInScope(each.project, scope)) continue
      const row = unlessUnreadable(() => unreadRow(db, member, seq)) ?? unlessUnreadable(() => bareRow(db, each))
      if (row) messages.push(toUnread(db, row, preview))
      if (messages.length < limit) continue
      const page = firstOf(messages)
      return { messages: page, upTo: page.length < messages.length ? page.at(-1)!.seq : upTo, isEnd: false }
    }
    if (found.length >= limit) continue
    const page = firstOf(messages)
    return page.length < messages.length
      ? { messages: page, upTo: page.at(-1)!.seq, isEnd: false }
      : { messages, upTo, isEnd: true }
  }
}

function unreadRow(db: Database, member: number, seq: number): UnreadRow | undefined {
  return db.get<UnreadRow>(
    `select ${messageColumns}, ${deliveryColumns}
     from delivery d join message m on m.seq = d.seq join member s on s.id = d.sender where d.recipient = ? and d.seq = ?`,
    member,
    seq,
  )
}

/** Returns a message whose delivery cannot be read, so that it is not known whether it was fetched. */
function bareRow(db: Database, { seq, handling, project }: UnreadSeq): UnreadRow | undefined {
  return db.get<UnreadRow>(
    `select ${messageColumns}, null as fetched_by, null as fetched_at, ? as handling, ? as project, null as answered_by
     from message m join member s on s.id = m.sender where m.seq = ?`,
    handling,
    project,
    seq,
  )
}

type UnreadRow = MessageRow & {
  fetched_by: string | null
  fetched_at: number | null
  handling: Handling
  project: string | null
  answered_by: number | null
}

function toUnread(db: Database, row: UnreadRow, preview: number | undefined): InboxMessage {
  const message: InboxMessage = toMessage(row)
  if (row.handling === 'hold') message.held = true
  if (row.handling === 'mute') message.muted = true
  if (row.project) message.project = row.project
  if (row.fetched_by && row.fetched_at) message.fetchedBy = { session: row.fetched_by, at: timestamp(row.fetched_at) }
  if (row.answered_by !== null) message.answeredBy = nameOf(db, row.answered_by)
  return preview === undefined ? message : cut(message, preview)
}

/** Cuts the text. To be called after it was verified, for which the whole text is needed. */
function cut(message: InboxMessage, characters: number): InboxMessage {
  const [...beginning] = message.body.slice(0, 2 * characters)
  return { ...message, body: beginning.slice(0, characters).join('') }
}

function nameOf(db: Database, member: number): string {
  return db.get<{ name: string }>('select name from member where id = ?', member)!.name
}

/** Most bytes of the rows of one answer, as JSON: an answer has at most 1 MiB, of which 1 KiB is for its other fields. */
const maxPageBytes = 1024 * 1024 - 1024

/** Most bytes of the JSON of one message without its text and recipients. */
const frameBytes = 1024

/** Reports whether rows fit into one answer in any case, without measuring them: a character has at most six bytes in JSON. */
function fitsSurely(rows: readonly MessageRow[]): boolean {
  const characters = rows.reduce((sum, { body, named }) => sum + body.length + named.length, 0)
  return characters * 6 + rows.length * frameBytes <= maxPageBytes
}

/**
 * Returns the first rows, at least one, that fit into one answer. They are measured as JSON, in which a text may have six times its size.
 */
export function firstOf<Row>(rows: Row[]): Row[] {
  let bytes = 0
  const end = rows.findIndex(row => {
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1
    return bytes > maxPageBytes
  })
  return end < 0 ? rows : rows.slice(0, Math.max(end, 1))
}

/** Returns the number of unread messages of `member`; with `scope`, without those for other projects. */
export function unreadCount(db: Database, member: number, scope?: ProjectScope): number {
  if (hasNoUnread(db, member)) return 0
  const row = db.get<{ unread: number; ofProjects: number }>(
    'select unread, project_unread as ofProjects from member where id = ?',
    member,
  )
  if (!row) return 0
  if (scope === undefined || row.ofProjects === 0) return row.unread
  return row.unread - row.ofProjects + projectShare(db, member, scope)
}

/** Returns those of `ids` for which no notification of a session of `member` is recorded yet, or only one by a hook. See `applyTold`. */
export function notYetTold(db: Database, member: number, ids: readonly string[], how: string): string[] {
  return db
    .all<{ id: string }>(
      `select m.id from json_each(?2) asked join message m on m.id = asked.value
       join delivery d on d.seq = m.seq and d.recipient = ?1 where ${isNotYetTold('?3')} order by m.seq`,
      member,
      JSON.stringify(ids),
      how,
    )
    .map(({ id }) => id)
}

/**
 * Returns the SQL condition for recording in a row of `delivery` that a session was notified by `how`, a placeholder. Nobody is notified of
 * muted messages.
 */
export function isNotYetTold(how: string): string {
  return `acked_at is null and expired_at is null and handling is not 'mute'
    and (told_at is null or (told_how = 'hook' and ${how} <> 'hook'))`
}

/** Returns the number of unread messages of `member` after `seq`. */
export function unreadCountAfter(db: Database, member: number, seq: number, scope?: ProjectScope): number {
  return countAfter(db, member, seq, '', scope)
}

/** Returns the number of unread messages of `member` after `seq` that are held for its user. */
export function heldCountAfter(db: Database, member: number, seq: number, scope?: ProjectScope): number {
  return countAfter(db, member, seq, `where handling = 'hold'`, scope)
}

function countAfter(db: Database, member: number, seq: number, where: string, scope?: ProjectScope): number {
  const seqs = scope === undefined ? unreadSeqs : unreadSeqsOf(3)
  const more = scope === undefined ? [] : [scope]
  return db.get<{ n: number }>(`select count(*) as n from (${seqs}) ${where}`, member, seq, ...more)!.n
}

/** Returns a message as it was sent; for one that the disk has damaged, the text is replaced by `damagedText`. */
export function toMessage(
  row: MessageRow,
): Omit<InboxMessage, 'fetchedBy' | 'held' | 'muted' | 'project' | 'answeredBy'> {
  const { id, seq, sender: from, sender_kind: fromKind, intent, body } = row
  const sentAt = timestamp(row.sent_at)
  if (body && !isIntact(row))
    return { id, seq, from, fromKind, to: [], sentAt, intent, body: damagedText, damaged: true }
  const to = JSON.parse(row.named) as string[]
  const message: InboxMessage = { id, seq, from, fromKind, to, sentAt, intent, body }
  if (row.from_project) message.fromProject = row.from_project
  if (row.reply_to) message.replyTo = row.reply_to
  if (row.expires_at) message.expiresAt = timestamp(row.expires_at)
  if (row.written_at) message.writtenAt = timestamp(row.written_at)
  if (row.text_deleted_at) message.textDeletedAt = timestamp(row.text_deleted_at)
  return message
}
