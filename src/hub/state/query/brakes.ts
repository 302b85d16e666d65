import { loopInWords } from '../refusal-words.ts'
import type { Database } from '../store/database.ts'

/** A brake on messages between two members: its end (ms since 1970), and its reason as a text. */
export interface Brake {
  between: [string, string]
  until: number
  why: string
}

/** Returns the brake on messages between two members at `time`, in either direction; `why` as it is stored. */
export function activeBrake(
  db: Database,
  one: number,
  other: number,
  time: number,
): { until: number; why: string } | undefined {
  // A clock that was set back does not make a brake longer.
  return db.get(
    'select until, why from brake where low = ? and high = ? and until > ? and since <= ?',
    Math.min(one, other),
    Math.max(one, other),
    time,
    time,
  )
}

/** Returns every brake at `time`, the first to end first; with `member`, only its own. */
export function activeBrakes(db: Database, time: number, member?: number): Brake[] {
  return db
    .all<{ low: string; high: string; until: number; why: string }>(
      `select l.name as low, h.name as high, b.until, b.why
       from brake b join member l on l.id = b.low join member h on h.id = b.high
       where b.until > ?1 and b.since <= ?1 and (?2 is null or ?2 in (b.low, b.high))
         and l.deleted_at is null and h.deleted_at is null order by b.until, b.low, b.high`,
      time,
      member ?? null,
    )
    .map(({ low, high, until, why }) => ({ between: [low, high], until, why: loopInWords(why) }))
}
