import { dropUnread } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'

/** Takes deliveries out of what is unread at `recipient`: they were acked or have expired. */
export function settleUnread(db: Database, recipient: number, seqs: readonly number[]): void {
  dropUnread(db, recipient, seqs)
  db.run(
    `update member set unread = unread - ?2, unread_bytes = unread_bytes -
       (select sum(octet_length(body)) from message where seq in (select value from json_each(?3)))
     where id = ?1`,
    recipient,
    seqs.length,
    JSON.stringify(seqs),
  )
}
