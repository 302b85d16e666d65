import { chartColumns } from '../../../protocol/charts.ts'
import type { Database } from '../store/database.ts'
import { newestSeq } from './read-around-damage.ts'
import { allUnread } from './unread.ts'
import { type Eyes, sees } from './viewer.ts'

/** Most deliveries of one column that are read for the time until they were noticed. */
const maxNoticed = 1000

/** Number of the newest deliveries that are read for the time they were unread; those still unread count however old they are. */
const maxUnread = 100_000

/** `from` and `columnMs` in ms; the lists have a value for each column. See `ChartsAnswer`. */
export interface Charts {
  from: number
  columnMs: number
  sends: number[]
  noticeMs: { p50: (number | null)[]; p95: (number | null)[] }
  oldestUnreadS: (number | null)[]
}

/**
 * Returns the charts of the messages of `eyes` in the last `hours` before `now`, in ms since 1970. `check` is called often. Uses
 * `in_time()`.
 */
export function chartsOf(
  db: Database,
  eyes: Eyes,
  { hours, now }: { hours: number; now: number },
  check: () => void,
): Charts {
  const columnMs = (hours * 3_600_000) / chartColumns
  const from = (Math.floor(now / columnMs) + 1 - chartColumns) * columnMs
  const members = eyes === 'all' ? [] : [JSON.stringify([...eyes])]
  const { passed, received } = eyes === 'all' ? ofAll : eyes.size > fewMembers ? ofMany : ofFew
  const sends: number[] = []
  const p50: (number | null)[] = []
  const p95: (number | null)[] = []
  let start = firstSince(db, from, 0)
  for (let column = 0; column < chartColumns; column++) {
    check()
    const end = firstSince(db, from + (column + 1) * columnMs, start)
    if (start === end) {
      sends.push(0)
      p50.push(null)
      p95.push(null)
      continue
    }
    sends.push(db.get<{ n: number }>(`select count(*) as n from (${passed})`, start, end, ...members)!.n)
    const noticed = db
      .all<{ ms: number }>(noticedIn(received), start, end, ...members)
      .map(({ ms }) => Math.max(0, ms))
      .sort((a, b) => a - b)
    p50.push(quantile(noticed, 0.5))
    p95.push(quantile(noticed, 0.95))
    start = end
  }
  const oldestUnreadS = oldestUnread(db, eyes, { from, columnMs, now, received, members })
  return { from, columnMs, sends, noticeMs: { p50, p95 }, oldestUnreadS }
}

/** Up to this number, members are looked up one by one; for more, all deliveries are scanned. */
const fewMembers = 20

/** `passed` has the messages with a seq from ?1 on and before ?2, each once; `received` the deliveries with such a seq. */
const ofAll = {
  passed: 'select distinct seq from delivery where seq >= ?1 and seq < ?2 and in_time()',
  received: 'select x.seq, x.recipient from delivery x where x.seq >= ?1 and x.seq < ?2',
}

/** The same for messages to or from the members ?3, and for deliveries to them. */
const isOne = 'in (select value from json_each(?3))'
const ofMany = {
  passed: `${ofAll.passed} and (sender ${isOne} or recipient ${isOne})`,
  received: `${ofAll.received} and x.recipient ${isOne}`,
}
const late = 'x.seq > (select seq from history_position) and x.seq >= ?1 and x.seq < ?2'
const ofFew = {
  passed: `
    select x.seq from json_each(?3) e join sent x on x.sender = e.value and x.seq >= ?1 and x.seq < ?2
    union select x.seq from json_each(?3) e join received x on x.recipient = e.value and x.seq >= ?1 and x.seq < ?2
    union select x.seq from delivery x where ${late} and in_time() and (x.sender ${isOne} or x.recipient ${isOne})`,
  received: `
    select x.seq, x.recipient from json_each(?3) e join received x on x.recipient = e.value and x.seq >= ?1 and x.seq < ?2
    union all select x.seq, x.recipient from delivery x where ${late} and x.recipient ${isOne}`,
}

/** Returns SQL of the time until each of these deliveries was first notified, fetched or acked, in ms. */
function noticedIn(received: string): string {
  const never = Number.MAX_SAFE_INTEGER
  return `
    select min(coalesce(d.told_at, ${never}), coalesce(d.fetched_at, ${never}), coalesce(d.acked_at, ${never})) - m.sent_at as ms
    from (${received}) x join delivery d on d.seq = x.seq and d.recipient = x.recipient join message m on m.seq = x.seq
    where in_time() and coalesce(d.told_at, d.fetched_at, d.acked_at) is not null limit ${maxNoticed}`
}

/** Returns the age of the oldest unread message at the end of each column, in s. */
function oldestUnread(
  db: Database,
  eyes: Eyes,
  {
    from,
    columnMs,
    now,
    received,
    members,
  }: { from: number; columnMs: number; now: number; received: string; members: string[] },
): (number | null)[] {
  const ends = Array.from({ length: chartColumns }, (_, column) => Math.min(now, from + (column + 1) * columnMs))
  const oldest = new Array<number>(chartColumns).fill(Number.POSITIVE_INFINITY)
  const lay = (sentAt: number, until: number) => {
    const first = Math.max(0, Math.ceil((sentAt - from) / columnMs) - 1)
    for (let column = first; column < chartColumns && ends[column]! < until; column++)
      if (sentAt <= ends[column]!) oldest[column] = Math.min(oldest[column]!, sentAt)
  }
  const farBack = db.get<{ seq: number }>(`select seq from delivery order by seq desc limit 1 offset ${maxUnread}`)
  const settled = db.all<{ sentAt: number; until: number }>(
    `select m.sent_at as sentAt, coalesce(d.acked_at, d.expired_at) as until
     from (${received}) x join delivery d on d.seq = x.seq and d.recipient = x.recipient join message m on m.seq = x.seq
     where in_time() and until >= ?4
       and cast((until - ?4) / ?5 as integer) > cast((max(m.sent_at, ?4 - ?5) - ?4) / ?5 as integer)`,
    ...[farBack?.seq ?? 0, Number.MAX_SAFE_INTEGER, members[0] ?? '[]', from, columnMs],
  )
  for (const { sentAt, until } of settled) lay(sentAt, until)
  for (const { id, oldestAt } of allUnread(db))
    if (oldestAt !== null && sees(eyes, id)) lay(oldestAt, Number.POSITIVE_INFINITY)
  return oldest.map((sentAt, column) =>
    Number.isFinite(sentAt) ? Math.max(0, Math.round((ends[column]! - sentAt) / 1000)) : null,
  )
}

/** Returns the seq of the first message from `low` on that was sent at or after `time`, if their times are in order. */
function firstSince(db: Database, time: number, low: number): number {
  let [from, to] = [low, newestSeq(db) + 1]
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    const found = db.get<{ seq: number; at: number }>(
      'select seq, sent_at as at from message where seq >= ? order by seq limit 1',
      middle,
    )
    if (!found || found.at >= time) to = middle
    else from = found.seq + 1
  }
  return from
}

function quantile(sorted: readonly number[], part: number): number | null {
  return sorted.length === 0 ? null : Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!)
}
