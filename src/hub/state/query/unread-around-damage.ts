import { unreadSeqs } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'
import { newestSeq, readAroundDamage } from './read-around-damage.ts'

export interface UnreadSeq {
  seq: number
  handling: string | null
  project: string | null
}

/**
 * Returns unread deliveries of `member` after `afterSeq` in a damaged store: from the inbox index, and where that cannot be read, from the
 * deliveries themselves. At most `limit`, in order.
 */
export function unreadSeqsAroundDamage(db: Database, member: number, afterSeq: number, limit: number): UnreadSeq[] {
  const newest = newestSeq(db)
  const reading = (from: string) =>
    readAroundDamage(
      (after, upTo, most) =>
        db.all<UnreadSeq>(
          `select seq, handling, project from (${from}) where seq <= ?3 order by seq limit ?4`,
          member,
          after,
          upTo,
          most,
        ),
      afterSeq,
      newest,
      limit,
    )
  const indexed = reading(unreadSeqs)
  if (indexed.isWhole) return indexed.rows
  const delivered = reading(
    'select seq, handling, project from delivery where recipient = ?1 and seq > ?2 and acked_at is null and expired_at is null',
  )
  const all = new Map([...delivered.rows, ...indexed.rows].map(row => [row.seq, row]))
  return [...all.values()].sort((a, b) => a.seq - b.seq).slice(0, limit)
}
