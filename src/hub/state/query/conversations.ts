import type { Intent, MemberKind } from '../../../protocol/messages.ts'
import { unreadSeqs } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'
import { crowds, newestOfConversations } from './crowds.ts'
import { hubItself } from './find-member.ts'
import { type MessageRow, messageColumns, toMessage } from './inbox.ts'
import { openQuestions } from './open-questions.ts'
import { unlessUnreadable } from './read-around-damage.ts'
import { lateAnswers } from './requests.ts'
import type { Eyes } from './viewer.ts'

/** Up to this number, members are looked up one by one; for more, the newest conversations of all are scanned. */
const fewMembers = 20

/** The place of a conversation in the order: newest first, then by `member`, `other` and `crowd`. */
export interface ConversationPlace {
  seq: number
  member: number
  other: number
  crowd: string
}

export interface ConversationInfo extends ConversationPlace {
  /** Both are names; `with` is a member's, `hub`, or a crowd's. */
  of: string
  with: string
  kind: MemberKind | 'hub' | 'group'
  at: number
  from: string
  intent: Intent
  /** Undefined when the viewer may not read the text. */
  beginning: string | undefined
  /** The newest message is held for the user of `member`. */
  isHeld: boolean
  unread: number
  openQuestions: number
}

/** Returns `place` in the form of `before` on the wire. */
export function formatPlace({ seq, member, other, crowd }: ConversationPlace): string {
  return `${seq}:${member}:${other}:${crowd}`
}

/** Parses the output of `formatPlace`; a seq alone is the place before all with a smaller one. */
export function parsePlace(text: string): ConversationPlace {
  const [seq, member = Number.MAX_SAFE_INTEGER, other = 0, crowd = ''] = text.split(':')
  return { seq: Number(seq), member: Number(member), other: Number(other), crowd }
}

/**
 * Returns the conversations of `eyes` after a place, newest first, at most `limit`. For all members, each is listed once, under the one
 * with the smaller id. Requests too old at `now`, in ms since 1970, do not count as open. `check` is called often. Uses `in_time()`.
 */
export function conversationsOf(
  db: Database,
  eyes: Eyes,
  { before, limit, now }: { before: ConversationPlace | undefined; limit: number; now: number },
  check: () => void,
): ConversationInfo[] {
  const places = placesOf(db, eyes, before, limit)
  const late = lateAnswers(db)
  const unread = new Map<number, ReadonlyMap<number, number>>()
  const open = new Map<number, ReadonlyMap<string, number>>()
  return places.flatMap(place => {
    check()
    const { seq, member, other, crowd } = place
    const row = unlessUnreadable(() =>
      db.get<MessageRow & { handling: string | null }>(
        `select ${messageColumns}, d.handling from message m join member s on s.id = m.sender
         left join delivery d on d.seq = m.seq and d.recipient = ?2 where m.seq = ?1`,
        seq,
        member,
      ),
    )
    if (!row) return []
    if (!unread.has(member)) unread.set(member, unreadBySender(db, member))
    if (!open.has(member)) open.set(member, openQuestions(db, member, { now, late }))
    const message = toMessage(row)
    const partner = other === crowds ? { name: crowd, kind: 'group' as const } : partnerOf(db, other)
    return [
      {
        ...place,
        of: partnerOf(db, member).name,
        with: partner.name,
        kind: partner.kind,
        at: row.sent_at,
        from: message.from,
        intent: message.intent,
        beginning: [...message.body.slice(0, 400)].slice(0, 200).join(''),
        isHeld: row.handling === 'hold',
        unread: other === crowds ? 0 : (unread.get(member)!.get(other) ?? 0),
        openQuestions: open.get(member)!.get(`${other} ${crowd}`) ?? 0,
      },
    ]
  })
}

function placesOf(db: Database, eyes: Eyes, before: ConversationPlace | undefined, limit: number): ConversationPlace[] {
  const { seq: end } = db.get<{ seq: number }>('select seq from history_position')!
  const isSeen = (place: ConversationPlace) =>
    eyes === 'all'
      ? place.member !== hubItself && (place.other < 0 || place.member <= place.other || place.other === hubItself)
      : eyes.has(place.member)
  const late = new Map(
    (
      unlessUnreadable(() =>
        db.all<ConversationPlace>(newestOfConversations('and in_time()'), end, Number.MAX_SAFE_INTEGER),
      ) ?? []
    )
      .filter(isSeen)
      .map(place => [keyOf(place), place]),
  )
  const found = [...late.values()].filter(place => isBehind(place, before))
  const indexed =
    eyes === 'all' || eyes.size > fewMembers
      ? ofMany(db, before, isSeen)
      : ofFew(db, eyes, before, limit + late.size).sort(order)
  let count = 0
  for (const place of indexed) {
    // A conversation with a newer message is listed in its new place only.
    if (late.has(keyOf(place)) || !isBehind(place, before)) continue
    found.push(place)
    if (++count === limit) break
  }
  return found.sort(order).slice(0, limit)
}

/** Yields the newest conversations of all members, in order. */
function* ofMany(
  db: Database,
  before: ConversationPlace | undefined,
  isSeen: (place: ConversationPlace) => boolean,
): Generator<ConversationPlace> {
  let from = before?.seq ?? Number.MAX_SAFE_INTEGER
  const atOnce = 500
  for (let offset = 0; ; ) {
    const rows =
      unlessUnreadable(() =>
        db.all<ConversationPlace>(
          `select member, other, crowd, seq from conversation where seq <= ? and in_time()
           order by seq desc, member, other, crowd limit ? offset ?`,
          from,
          atOnce,
          offset,
        ),
      ) ?? []
    yield* rows.filter(isSeen)
    const last = rows.at(-1)
    if (!last || rows.length < atOnce) return
    // Skips those with the last seq that were read already.
    offset = (last.seq === from ? offset : 0) + rows.filter(({ seq }) => seq === last.seq).length
    from = last.seq
  }
}

function ofFew(
  db: Database,
  members: ReadonlySet<number>,
  before: ConversationPlace | undefined,
  limit: number,
): ConversationPlace[] {
  const { seq, member: at, other, crowd } = before ?? { seq: Number.MAX_SAFE_INTEGER, member: 0, other: 0, crowd: '' }
  return [...members].flatMap(
    member =>
      unlessUnreadable(() =>
        db.all<ConversationPlace>(
          `select member, other, crowd, seq from conversation
           where member = ?1 and seq <= ?2 and (seq < ?2 or ?1 > ?3 or (?1 = ?3 and (other, crowd) > (?4, ?5)))
           order by seq desc, other, crowd limit ?6`,
          ...[member, seq, at, other, crowd, limit],
        ),
      ) ?? [],
  )
}

/** Returns the number of unread messages at `member` by sender. */
function unreadBySender(db: Database, member: number): ReadonlyMap<number, number> {
  const rows =
    unlessUnreadable(() =>
      db.all<{ sender: number; unread: number }>(
        `select d.sender, count(*) as unread from (${unreadSeqs}) u join delivery d on d.seq = u.seq and d.recipient = ?1
         where in_time() group by d.sender`,
        member,
        0,
      ),
    ) ?? []
  return new Map(rows.map(({ sender, unread }) => [sender, unread]))
}

function partnerOf(db: Database, member: number): { name: string; kind: MemberKind | 'hub' } {
  if (member === hubItself) return { name: 'hub', kind: 'hub' }
  return db.get<{ name: string; kind: MemberKind }>('select name, kind from member where id = ?', member)!
}

function keyOf({ member, other, crowd }: ConversationPlace): string {
  return `${member} ${other} ${crowd}`
}

function order(a: ConversationPlace, b: ConversationPlace): number {
  return (
    b.seq - a.seq || a.member - b.member || a.other - b.other || (a.crowd < b.crowd ? -1 : a.crowd > b.crowd ? 1 : 0)
  )
}

function isBehind(place: ConversationPlace, before: ConversationPlace | undefined): boolean {
  return before === undefined || order(before, place) < 0
}
