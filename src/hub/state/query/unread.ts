import type { MemberKind } from '../../../protocol/messages.ts'
import type { Database } from '../store/database.ts'
import { unlessUnreadable } from './read-around-damage.ts'
import { unreadSeqsAroundDamage } from './unread-around-damage.ts'

export interface UnreadOf {
  id: number
  name: string
  kind: MemberKind
  unread: number
  /** Time at which the oldest unread message was sent, in ms since 1970; null without one. */
  oldestAt: number | null
}

/** Most messages of a damaged inbox that are read together. */
const readAtOnce = 100

/**
 * Returns the unread messages of each member, longest wait first, with one index lookup each. In a damaged store, messages that cannot be
 * read count, but are skipped when the oldest is searched.
 */
export function allUnread(db: Database): UnreadOf[] {
  return unlessUnreadable(() => indexedUnread(db)) ?? unreadAround(db)
}

function indexedUnread(db: Database): UnreadOf[] {
  return db.all<UnreadOf>(
    `select m.id, m.name, m.kind, m.unread, g.sent_at as oldestAt
     from member m
     left join (
       select recipient, min(seq) as seq from delivery
       where seq > (select seq from unread_position) and acked_at is null and expired_at is null group by recipient
     ) late on late.recipient = m.id
     left join message g
       on g.seq = coalesce((select seq from unread u where u.recipient = m.id order by u.seq limit 1), late.seq)
     where m.deleted_at is null order by oldestAt nulls last, m.name`,
  )
}

function unreadAround(db: Database): UnreadOf[] {
  return db
    .all<Omit<UnreadOf, 'oldestAt'>>('select id, name, kind, unread from member where deleted_at is null order by name')
    .map(member => ({ ...member, oldestAt: member.unread === 0 ? null : oldestReadable(db, member.id) }))
    .sort((a, b) => (a.oldestAt ?? Infinity) - (b.oldestAt ?? Infinity) || 0)
}

/** Returns the time of the oldest unread message of `member` that can be read. */
function oldestReadable(db: Database, member: number): number | null {
  for (let after = 0; ; ) {
    const found = unreadSeqsAroundDamage(db, member, after, readAtOnce)
    for (const { seq } of found) {
      const row = unlessUnreadable(() => db.get<{ at: number }>('select sent_at as at from message where seq = ?', seq))
      if (row) return row.at
    }
    if (found.length < readAtOnce) return null
    after = found.at(-1)!.seq
  }
}
