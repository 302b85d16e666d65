import type { Database } from '../store/database.ts'
import { isUnreadable } from '../store/sqlite-errors.ts'

/** Most reads that may fail on the way through one page: a store with more damage than that is not readable. */
const maxFailures = 20_000

/** Rows in an order of their seq: those after `after`, up to and with `upTo`, at most `limit`, the first by that order. */
export type ReadRange<Row> = (after: number, upTo: number, limit: number) => Row[]

/**
 * Reads a range of a damaged store by halves, so that rows that cannot be read are left out and all others are found, in the order in
 * which `read` returns them. `isWhole` says whether none was left out. Throws SQLite's error where too much cannot be read.
 */
export function readRound<Row>(
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

/** What `read` returns; undefined where the store is damaged there. */
export function unlessUnreadable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return undefined
  }
}

/** Where the history ends, for a read that goes round. */
export function newestSeq(db: Database): number {
  return db.get<{ seq: number }>('select seq from position')!.seq
}
