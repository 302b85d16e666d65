import { dropUnread } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'
import { giveRoom } from './room.ts'

/** Takes deliveries out of what is unread at `recipient`: they were acked or have expired. */
export function settleUnread(db: Database, recipient: number, seqs: readonly number[]): void {
  dropUnread(db, recipient, seqs)
  giveRoom(db, recipient, seqs)
}
