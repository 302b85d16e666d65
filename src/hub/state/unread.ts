import type { Database } from './database.ts'
import { dropUnread } from './inbox-index.ts'

/** Takes one delivery out of what is unread at `recipient`: it was acked or has expired. */
export function settleUnread(db: Database, recipient: number, seq: number): void {
  dropUnread(db, recipient, seq)
  db.run(
    `update member set unread = unread - 1,
       unread_bytes = unread_bytes - (select octet_length(body) from message where seq = ?) where id = ?`,
    seq,
    recipient,
  )
}
