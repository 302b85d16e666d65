import { type Database, isUnreadable } from '../store/database.ts'

/** Most reads that may fail on the way through one page: a store with more damage than that is not readable. */
const maxFailures = 20_000

/** Rows in the order of their seq: those after `after`, up to and with `upTo`, at most `limit`. */
export type ReadRange<Row> = (after: number, upTo: number, limit: number) => Row[]

/**
 * Reads a range of a damaged store by halves, so that rows that cannot be read are left out and all others are found. `isWhole` says
 * whether none was left out. Throws SQLite's error where too much cannot be read.
 */
export function readRound<Row>(
  read: ReadRange<Row>,
  after: number,
  upTo: number,
  limit: number,
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
      const rows = half(after, middle, limit)
      return [...rows, ...half(middle, upTo, limit - rows.length)]
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
