import type { Database } from './database.ts'

/** Counts one delivery of `recipient` as no longer unread: it was acked or has expired. */
export function countRead(db: Database, recipient: number, seq: number): void {
  db.run(
    `update member set unread = unread - 1,
       unread_bytes = unread_bytes - (select octet_length(body) from message where seq = ?) where id = ?`,
    seq,
    recipient,
  )
}
