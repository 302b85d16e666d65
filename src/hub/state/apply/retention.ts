import { readSettings } from '../query/settings.ts'
import type { Database } from '../store/database.ts'
import { limits as fixed } from './limits.ts'
import { asSteady } from './steady-time.ts'

const dayMs = 86_400_000

/** Time that a due deletion may wait for more, in ms, so that an idle hub writes rarely. */
const patienceMs = 600_000

/** The time of the tick: by the wall clock, for times that are shown, and in steady time, for ages. */
interface Now {
  time: number
  steady: number
}

/** Limits in steady time: data of messages that were over by then may be deleted. */
interface Limits {
  text: number
  record: number
}

/** The work that a tick may still do. */
interface Budget {
  looks: number
  bytes: number
}

/**
 * Deletes the texts of messages that have been over (acked or expired at every recipient) for the configured days, and their records after
 * a year. A message that is unread anywhere is never touched. Work beyond the limit of one tick is left to the next ones.
 */
export function deleteWhatIsOver(db: Database, now: Now): void {
  const limits = limitsAt(db, now.steady)
  const budget: Budget = { looks: fixed.looksPerTick, bytes: fixed.textBytesPerTick }
  deleteRecords(db, limits, budget)
  unbindLater(db, limits, budget)
  lookAgain(db, now, limits, budget)
  lookAtNew(db, now, limits, budget)
}

/** Returns the steady time at which a tick would next find something to delete; undefined when there is no message. */
export function nextDeletion(db: Database): number | undefined {
  const { text, record } = periods(db)
  const at = db.get<{ at: number | null }>(
    `select min(at) as at from (
       select ?1 + (select ${asSteady('sent_at', 'message.seq')} from message where seq > (select seq from retention_position) order by seq limit 1) as at
       union all select ?1 + min(since) from kept where what = 'text'
       union all select ?2 + min(since) from kept where what = 'record'
       union all select ?2 + min(ended_steady) from later where ended is not null)`,
    text,
    record,
  )?.at
  return at === null || at === undefined ? undefined : at + patienceMs
}

function periods(db: Database): Limits {
  const { keepTextDays } = readSettings(db)
  return { text: keepTextDays * dayMs, record: Math.max(fixed.recordDays, keepTextDays) * dayMs }
}

function limitsAt(db: Database, steady: number): Limits {
  const { text, record } = periods(db)
  return { text: steady - text, record: steady - record }
}

/** Examines messages that became old enough. They are in the order of the journal, so nothing has to be noted for younger ones. */
function lookAtNew(db: Database, now: Now, limits: Limits, budget: Budget): void {
  const next = db.all<{ seq: number; sentAt: number }>(
    `select seq, ${asSteady('sent_at', 'message.seq')} as sentAt from message where seq > (select seq from retention_position) order by seq limit ?`,
    Math.max(budget.looks, 0),
  )
  let last: number | undefined
  for (const { seq, sentAt } of next) {
    // Only a store older than the steady time can have such a message.
    const wasClockAhead = sentAt > now.steady
    if (!hasRoom(budget) || (sentAt > limits.text && !wasClockAhead)) break
    if (wasClockAhead) keep(db, 'text', sentAt, seq)
    else look(db, seq, now, limits, budget)
    last = seq
  }
  if (last !== undefined) db.run('update retention_position set seq = ?', last)
}

function lookAgain(db: Database, now: Now, limits: Limits, budget: Budget): void {
  for (const { since, seq } of due(db, 'text', limits.text, budget)) {
    if (!hasRoom(budget)) return
    db.run(`delete from kept where what = 'text' and since = ? and seq = ?`, since, seq)
    look(db, seq, now, limits, budget)
  }
}

/** Deletes the text of a message that has been over for long enough, and notes when to examine any other again. */
function look(db: Database, seq: number, now: Now, limits: Limits, budget: Budget): void {
  // An unread message cannot have been over before now.
  const { deliveries, over } = db.get<{ deliveries: number; over: number }>(
    `select count(*) as deliveries,
       max(case when acked_at is null and expired_at is null then ?
           else ${asSteady('coalesce(acked_at, expired_at)', 'coalesce(changed, seq)')} end) as over
     from delivery where seq = ?`,
    now.steady,
    seq,
  )!
  budget.looks -= deliveries
  const mayGo = over <= limits.text
  if (mayGo) deleteText(db, seq, now.time, budget)
  keep(db, mayGo ? 'record' : 'text', over, seq)
}

/** Deletes the text. Its words are removed from the search index later; until then no search result shows them. */
function deleteText(db: Database, seq: number, time: number, budget: Budget): void {
  const { bytes } = db.get<{ bytes: number }>('select octet_length(body) as bytes from message where seq = ?', seq)!
  budget.bytes -= bytes
  db.run('insert into words_gone (seq) values (?)', seq)
  db.run(`update message set body = '', text_deleted_at = ? where seq = ?`, time, seq)
}

function deleteRecords(db: Database, limits: Limits, budget: Budget): void {
  for (const { since, seq } of due(db, 'record', limits.record, budget)) {
    if (!hasRoom(budget)) return
    db.run('delete from received where seq = ?1 and recipient in (select recipient from delivery where seq = ?1)', seq)
    budget.looks -= db.run('delete from delivery where seq = ?', seq)
    db.run('delete from sent where seq = ?1 and sender = (select sender from message where seq = ?1)', seq)
    db.run(
      `delete from answer where seq = ?1
       and (reply_to, sender) in (select reply_to, sender from message where seq = ?1 and reply_to is not null)`,
      seq,
    )
    db.run('delete from message where seq = ?', seq)
    db.run(`delete from kept where what = 'record' and since = ? and seq = ?`, since, seq)
  }
}

/** Frees the ids of scheduled messages that were not delivered. */
function unbindLater(db: Database, { record }: Limits, budget: Budget): void {
  budget.looks -= db.run(
    `delete from later where id in (select id from later where ended is not null and ended_steady <= ?
       order by ended_steady, seq limit ?)`,
    record,
    Math.max(budget.looks, 0),
  )
}

function due(db: Database, what: keyof Limits, until: number, { looks }: Budget): { since: number; seq: number }[] {
  return db.all(
    'select since, seq from kept where what = ? and since <= ? order by since, seq limit ?',
    what,
    until,
    Math.max(looks, 0),
  )
}

function keep(db: Database, what: keyof Limits, since: number, seq: number): void {
  db.run('insert into kept (what, since, seq) values (?, ?, ?)', what, since, seq)
}

function hasRoom({ looks, bytes }: Budget): boolean {
  return looks > 0 && bytes > 0
}
