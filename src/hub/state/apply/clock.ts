import { type CommandOf, type DatedEntry, done, type Outcome } from '../commands.ts'
import { recipientsOf } from '../query/recipients.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'
import { deleteWhatIsOver } from './retention.ts'
import { endTokensDue } from './tokens.ts'
import { settleUnread } from './unread.ts'

type Tick = CommandOf<'clock.tick'>

/**
 * Ends what is due by the entry's steady time: unread deliveries whose sender set an end, tokens that were replaced or are too old, and what is kept of
 * messages that are over. Answers how many deliveries expired, and whether messages may be left whose end is due too.
 */
export function applyTick(db: Database, { seq, time, steady }: DatedEntry<Tick>): Outcome<Tick> {
  const due = db.all<{ seq: number; sender: number; outcome: string }>(
    `select seq, sender, outcome from message where expired = 0 and expires_steady <= ?
     order by expires_steady, seq limit ?`,
    steady,
    limits.expiredPerTick,
  )
  const wake = new Set<number>()
  let expired = 0
  for (const message of due) {
    db.run('update message set expired = 1 where seq = ?', message.seq)
    for (const { member } of recipientsOf(db, message)) {
      const changed = db.run(
        `update delivery set expired_at = ?, changed = ?
         where recipient = ? and seq = ? and acked_at is null and expired_at is null`,
        time,
        seq,
        member,
        message.seq,
      )
      if (changed === 0) continue
      settleUnread(db, member, [message.seq])
      wake.add(message.sender)
      expired++
    }
  }
  deleteWhatIsOver(db, { time, steady })
  return done<Tick>(
    { expired, more: due.length === limits.expiredPerTick },
    { wake: [...wake], revoked: endTokensDue(db, { seq, time, steady }) },
  )
}
