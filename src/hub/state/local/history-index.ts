import { type Database, isDiskFull } from '../store/database.ts'

/** Most messages indexed in one transaction: the journal waits for one, so it is kept short. */
const maxBatch = 200

/**
 * Brings the indexes of history and search one step nearer to the newest message. Not part of the history itself: every hub
 * keeps its own, behind the commits, so that senders do not wait for it. Answers whether there may be more to do.
 */
export function indexSome(db: Database): boolean {
  const { seq: done } = db.get<{ seq: number }>('select seq from history_position')!
  const next = db.all<{ seq: number }>('select seq from message where seq > ? order by seq limit ?', done, maxBatch)
  const last = next.at(-1)
  if (!last) return false
  db.transaction(() => {
    db.run('insert into sent (sender, seq) select sender, seq from message where seq > ? and seq <= ?', done, last.seq)
    db.run(
      `insert into received (recipient, seq, sender)
       select recipient, seq, sender from delivery where seq > ? and seq <= ? order by recipient, seq`,
      done,
      last.seq,
    )
    db.run(
      `insert into message_words (rowid, body) select seq, body from message
       where seq > ? and seq <= ? and text_deleted_at is null`,
      done,
      last.seq,
    )
    db.run(
      `insert into answer (reply_to, sender, seq)
       select reply_to, sender, seq from message where seq > ? and seq <= ? and reply_to is not null order by reply_to`,
      done,
      last.seq,
    )
    db.run('update history_position set seq = ?', last.seq)
  })
  return next.length === maxBatch
}

/** Most steps that a reader waits for: 5,000 messages. After a long busy spell, search lags behind by what is left. */
const maxStepsForReader = 25

/**
 * Brings the indexes nearer to the newest message before somebody reads by them: most often to it. On a full disk they stay
 * where they are, and reading goes on.
 */
export function indexForReader(db: Database): void {
  try {
    for (let step = 0; step < maxStepsForReader && indexSome(db); step++);
  } catch (error) {
    if (!isDiskFull(error)) throw error
  }
}
