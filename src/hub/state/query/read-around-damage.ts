import type { Database } from '../store/database.ts'
import { isUnreadable } from '../store/sqlite-errors.ts'

/** Most reads that may fail for one page: a store with more damage counts as unreadable. */
const maxFailures = 20_000

/** Reads rows ordered by their seq: those after `after`, up to and including `upTo`, the first `limit` of them. */
export type ReadRange<Row> = (after: number, upTo: number, limit: number) => Row[]

/**
 * Reads a range of a damaged store by bisection, so that only rows that cannot be read are left out, in the order in which `read` returns
 * them. `isWhole` is true when none was left out. Throws SQLite's error when too many reads fail.
 */
export function readAroundDamage<Row>(
  read: ReadRange<Row>,
  after: number,
  upTo: number,
  limit: number,
  order: 'oldest first' | 'newest first' = 'oldest first',
): { rows: Row[]; isWhole: boolean } {
  let failures = 0
  const half = (after: number, upTo: number, limit: number): Row[] => {
    if (after >= upTo || limit <= 0) return []
    try {
      return read(after, upTo, limit)
    } catch (error) {
      if (!isUnreadable(error) || ++failures > maxFailures) throw error
      if (upTo - after === 1) return []
      const middle = after + Math.floor((upTo - after) / 2)
      const older = (limit: number) => half(after, middle, limit)
      const newer = (limit: number) => half(middle, upTo, limit)
      const [first, second] = order === 'oldest first' ? [older, newer] : [newer, older]
      const rows = first(limit)
      return [...rows, ...second(limit - rows.length)]
    }
  }
  const rows = half(after, upTo, limit)
  return { rows, isWhole: failures === 0 }
}

/** Returns the result of `read`; undefined when it fails because of damage. */
export function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return undefined
  }
}

/** Returns the last seq of the history, for `readAroundDamage`. */
export function newestSeq(db: Database): number {
  return db.get<{ seq: number }>('select seq from position')!.seq
}
