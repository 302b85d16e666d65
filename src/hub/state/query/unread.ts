import type { MemberKind } from '../../../protocol/messages.ts'
import type { Database } from '../store/database.ts'

export interface UnreadOf {
  id: number
  name: string
  kind: MemberKind
  unread: number
  /** When the oldest unread message was sent, in ms since 1970; null without one. */
  oldestAt: number | null
}

/** What waits for each member, longest first: one index look-up for each. */
export function allUnread(db: Database): UnreadOf[] {
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
