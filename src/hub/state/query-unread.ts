import type { MemberKind } from '../../protocol/messages.ts'
import type { Database } from './database.ts'

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
    `select m.id, m.name, m.kind, m.unread,
       (select g.sent_at from delivery d indexed by delivery_unread join message g on g.seq = d.seq
        where d.recipient = m.id and d.acked_at is null and d.expired_at is null order by d.seq limit 1) as oldestAt
     from member m where m.deleted_at is null order by oldestAt nulls last, m.name`,
  )
}
