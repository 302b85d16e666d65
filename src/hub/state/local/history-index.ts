import { newestOfConversations } from '../query/crowds.ts'
import type { Database } from '../store/database.ts'

/** Most messages and deliveries indexed in one transaction (at least one message): the journal waits for it, so it is kept short. */
const maxMessages = 200
const maxDeliveries = 2000

/**
 * Indexes the next messages of the history. The indexes are not part of the history itself: every hub fills its own after the commits, so
 * that senders do not wait for it. A query that uses them must read the messages after `history_position` as well. Returns whether there
 * may be more to do.
 */
export function indexSome(db: Database): boolean {
  const { seq: done } = db.get<{ seq: number }>('select seq from history_position')!
  const next = db.all<{ seq: number }>('select seq from message where seq > ? order by seq limit ?', done, maxMessages)
  const [first, end] = [next[0], next.at(-1)]
  if (!first || !end) return false
  const tooMany = db.get<{ seq: number }>(
    'select seq from delivery where seq > ? order by seq limit 1 offset ?',
    done,
    maxDeliveries,
  )
  const last = tooMany ? Math.max(first.seq, Math.min(end.seq, tooMany.seq - 1)) : end.seq
  db.transaction(() => {
    db.run('insert into sent (sender, seq) select sender, seq from message where seq > ? and seq <= ?', done, last)
    db.run(
      `insert into received (recipient, seq, sender)
       select recipient, seq, sender from delivery where seq > ? and seq <= ? order by recipient, seq`,
      done,
      last,
    )
    db.run(
      `insert into answer (reply_to, sender, seq)
       select reply_to, sender, seq from message where seq > ? and seq <= ? and reply_to is not null order by reply_to`,
      done,
      last,
    )
    db.run(
      `insert into conversation (member, other, crowd, seq) select * from (${newestOfConversations()}) where true
       on conflict (member, other, crowd) do update set seq = max(seq, excluded.seq)`,
      done,
      last,
    )
    db.run('update history_position set seq = ?', last)
  })
  return next.length === maxMessages || last < end.seq
}
