import type { Intent } from '../../../protocol/messages.ts'
import type { OutgoingEvent, OutgoingPlace } from '../outgoing-commands.ts'
import type { NotTaken } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { recipientsOf } from './recipients.ts'

/** An event of the history, with the fields that filters use. */
export interface Happening extends Omit<OutgoingEvent, 'detail'> {
  message: {
    id: string
    /** Member id of the sender. */
    from: number
    fromProject?: string
    intent: Intent
    replyTo?: string
    bytes: number
  }
  /** Recipients that the event is about, with their names at the time of the message; `reason` if they refused it. */
  recipients: { member: number; name: string; project?: string; reason?: NotTaken | string }[]
}

/** A stretch of the history: its events in order, and the place at which it ends. */
export interface Stretch {
  found: { happening: Happening; place: OutgoingPlace }[]
  upTo: OutgoingPlace
}

interface MessageRow {
  seq: number
  id: string
  sender: number
  sentAt: number
  intent: Intent
  replyTo: string | null
  fromProject: string | null
  bytes: number
  outcome: string
}

const columns = `seq, id, sender, sent_at as sentAt, intent, reply_to as replyTo, from_project as fromProject,
  octet_length(body) as bytes, outcome`

/**
 * Returns the events after `after`, of about `limit` messages at most, in order. `newest` is the last entry of the store, up to which there
 * are no more events when fewer are found. Expired messages are included only `withExpired`.
 */
export function happeningsAfter(
  db: Database,
  after: OutgoingPlace,
  { newest, limit, withExpired }: { newest: number; limit: number; withExpired: boolean },
): Stretch {
  const messages = db.all<MessageRow>(
    `select ${columns} from message where seq >= ? order by seq limit ?`,
    after.part < 1 ? after.seq : after.seq + 1,
    limit,
  )
  const expired = withExpired
    ? db.all<{ changed: number; seq: number }>(
        `select distinct changed, seq from delivery
         where expired_at is not null and (changed, seq) > (?, ?) order by changed, seq limit ?`,
        after.seq,
        after.part,
        limit,
      )
    : []
  const ends: OutgoingPlace[] = [{ seq: newest, part: Number.MAX_SAFE_INTEGER }]
  if (messages.length === limit) ends.push({ seq: messages.at(-1)!.seq, part: 1 })
  if (expired.length === limit) ends.push({ seq: expired.at(-1)!.changed, part: expired.at(-1)!.seq })
  const upTo = ends.reduce((least, end) => (compare(end, least) < 0 ? end : least))
  const found = [...messages.flatMap(row => ofMessage(db, row)), ...expired.flatMap(each => ofExpired(db, each))]
    .filter(({ place }) => compare(place, after) > 0 && compare(place, upTo) <= 0)
    .sort((one, other) => compare(one.place, other.place))
  return { found, upTo }
}

/** Returns the happening of a failed event; undefined when its message was deleted. */
export function happeningOf(
  db: Database,
  {
    kind,
    seq,
    changed,
    detail,
  }: Pick<OutgoingEvent, 'kind' | 'seq'> & { changed: number | null; detail: string | null },
): Happening | undefined {
  if (detail !== null) return JSON.parse(detail) as Happening
  if (kind === 'expired') return ofExpired(db, { changed: changed ?? 0, seq })[0]?.happening
  const row = messageRow(db, seq)
  return row && ofMessage(db, row).find(({ happening }) => happening.kind === kind)?.happening
}

/** Returns the members among these at which the message is held. */
export function heldAt(db: Database, seq: number, members: readonly number[]): Set<number> {
  const rows = db.all<{ recipient: number }>(
    `select d.recipient from json_each(?) m join delivery d on d.recipient = m.value and d.seq = ? where d.handling = 'hold'`,
    JSON.stringify(members),
    seq,
  )
  return new Set(rows.map(({ recipient }) => recipient))
}

/** Returns the text of a message; undefined when it was deleted. */
export function textOf(db: Database, seq: number): string | undefined {
  return db.get<{ body: string }>('select body from message where seq = ? and text_deleted_at is null', seq)?.body
}

/** Compares two places: less than 0 when `one` is before `other`, 0 when they are equal. */
export function compare(one: OutgoingPlace, other: OutgoingPlace): number {
  return one.seq - other.seq || one.part - other.part
}

function messageRow(db: Database, seq: number): MessageRow | undefined {
  return db.get<MessageRow>(`select ${columns} from message where seq = ?`, seq)
}

/** Returns the events of a message: that it was stored, and that recipients refused it. */
function ofMessage(db: Database, row: MessageRow): Stretch['found'] {
  const { seq, id, sentAt: at } = row
  const all = recipientsOf(db, row)
  const found: Stretch['found'] = []
  const [stored, refused] = [
    all.filter(({ status }) => status === 'stored'),
    all.filter(({ status }) => status === 'refused'),
  ]
  const base = { seq, at, message: contentOf(row) }
  const toldOf = (recipients: typeof all) =>
    recipients.map(({ member, name, project, reason }) => ({ member, name, project, reason }))
  if (stored.length > 0)
    found.push({
      happening: { ...base, id: `message_${id}`, kind: 'message', recipients: toldOf(stored) },
      place: { seq, part: 0 },
    })
  if (refused.length > 0)
    found.push({
      happening: { ...base, id: `refused_${id}`, kind: 'refused', recipients: toldOf(refused) },
      place: { seq, part: 1 },
    })
  return found
}

function ofExpired(db: Database, { changed, seq }: { changed: number; seq: number }): Stretch['found'] {
  const row = messageRow(db, seq)
  if (!row) return []
  const members = db.all<{ member: number; name: string; project: string | null; at: number }>(
    `select d.recipient as member, r.name, d.project, d.expired_at as at from delivery d join member r on r.id = d.recipient
     where d.expired_at is not null and d.changed = ? and d.seq = ? order by d.recipient`,
    changed,
    seq,
  )
  if (members.length === 0) return []
  const recipients = members.map(({ member, name, project }) => ({ member, name, project: project ?? undefined }))
  const id = `expired_${row.id}_${changed}`
  const happening: Happening = {
    id,
    kind: 'expired',
    seq,
    changed,
    at: members[0]!.at,
    message: contentOf(row),
    recipients,
  }
  return [{ happening, place: { seq: changed, part: seq } }]
}

function contentOf({ id, sender, fromProject, intent, replyTo, bytes }: MessageRow): Happening['message'] {
  return { id, from: sender, fromProject: fromProject ?? undefined, intent, replyTo: replyTo ?? undefined, bytes }
}
