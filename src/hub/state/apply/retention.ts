import { readSettings } from '../query/settings.ts'
import type { Database } from '../store/database.ts'

const dayMs = 86_400_000

/** How long ids, content hashes and outcomes stay once a message is over, in days: so long a repeated send finds its first outcome. */
const recordDays = 365

/**
 * Most deliveries that one tick looks at or deletes, and about how many bytes of texts (one message at least): a tick takes some
 * 10 ms then, most of it for taking words out of the search, and holds up no sender for long.
 */
export const maxLooksPerTick = 500
export const maxTextBytesPerTick = 32 * 1024

/** How long what is due may wait for more, in ms, so that a hub with little to do writes seldom. */
const patienceMs = 600_000

/** Moments, in ms since 1970: what was over by then may go. */
interface Limits {
  text: number
  record: number
}

/** What is left of a tick's work. */
interface Budget {
  looks: number
  bytes: number
}

/**
 * Deletes the texts of messages that have been over (acked or expired at every recipient) for the days that are set, and what is
 * left of them after a year. A message that somebody has not read is never touched. What is more than one tick may do is left
 * to the next ones.
 */
export function deleteWhatIsOver(db: Database, time: number): void {
  const limits = limitsAt(db, time)
  const budget: Budget = { looks: maxLooksPerTick, bytes: maxTextBytesPerTick }
  deleteRecords(db, limits, budget)
  lookAgain(db, time, limits, budget)
  lookAtNew(db, time, limits, budget)
}

/** When a tick would next find something to delete, in ms since 1970, or undefined when there is no message. */
export function nextDeletion(db: Database): number | undefined {
  const { text, record } = periods(db)
  const at = db.get<{ at: number | null }>(
    `select min(at) as at from (
       select ?1 + (select sent_at from message where seq > (select seq from retention_position) order by seq limit 1) as at
       union all select ?1 + min(since) from kept where what = 'text'
       union all select ?2 + min(since) from kept where what = 'record')`,
    text,
    record,
  )?.at
  return at === null || at === undefined ? undefined : at + patienceMs
}

function periods(db: Database): Limits {
  const { keepTextDays } = readSettings(db)
  return { text: keepTextDays * dayMs, record: Math.max(recordDays, keepTextDays) * dayMs }
}

function limitsAt(db: Database, time: number): Limits {
  const { text, record } = periods(db)
  return { text: time - text, record: time - record }
}

/** Messages come in the order of the journal, so that nothing need be noted down for them while they are young. */
function lookAtNew(db: Database, time: number, limits: Limits, budget: Budget): void {
  const next = db.all<{ seq: number; sent_at: number }>(
    `select seq, sent_at from message where seq > (select seq from retention_position) order by seq limit ?`,
    Math.max(budget.looks, 0),
  )
  let last: number | undefined
  for (const { seq, sent_at } of next) {
    const wasClockAhead = sent_at > time
    if (!hasRoom(budget) || (sent_at > limits.text && !wasClockAhead)) break
    if (wasClockAhead) keep(db, 'text', sent_at, seq)
    else look(db, seq, time, limits, budget)
    last = seq
  }
  if (last !== undefined) db.run('update retention_position set seq = ?', last)
}

function lookAgain(db: Database, time: number, limits: Limits, budget: Budget): void {
  for (const { since, seq } of due(db, 'text', limits.text, budget)) {
    if (!hasRoom(budget)) return
    db.run(`delete from kept where what = 'text' and since = ? and seq = ?`, since, seq)
    look(db, seq, time, limits, budget)
  }
}

/** Deletes the text of a message that is over for long enough, and notes when to look again at any other. */
function look(db: Database, seq: number, time: number, limits: Limits, budget: Budget): void {
  // What is unread was not over before now, whatever becomes of it.
  const { deliveries, over } = db.get<{ deliveries: number; over: number }>(
    'select count(*) as deliveries, max(coalesce(acked_at, expired_at, ?)) as over from delivery where seq = ?',
    time,
    seq,
  )!
  budget.looks -= deliveries
  const mayGo = over <= limits.text
  if (mayGo) deleteText(db, seq, time, budget)
  keep(db, mayGo ? 'record' : 'text', over, seq)
}

/** The words go from the search too, in the same transaction. What the index has not come to yet, it will leave out. */
function deleteText(db: Database, seq: number, time: number, budget: Budget): void {
  const { bytes } = db.get<{ bytes: number }>('select octet_length(body) as bytes from message where seq = ?', seq)!
  budget.bytes -= bytes
  db.run(
    `insert into message_words (message_words, rowid, body) select 'delete', seq, body from message
     where seq = ? and seq <= (select seq from history_position)`,
    seq,
  )
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
