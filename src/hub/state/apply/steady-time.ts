import type { Entry } from '../commands.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'

/** The steady time of an entry. */
export function steadyOf({ time, steady = time }: Pick<Entry, 'time' | 'steady'>): number {
  return steady
}

/**
 * Records that from `entry` on the wall clock is ahead of the steady one by another amount, so that a stored wall-clock time can be
 * converted (`asSteady`). Returns the amount in force, in ms; `known` is the one before. To be called before the entry is applied, so
 * that what it finds does not depend on which entries share its transaction.
 */
export function recordClockStep(db: Database, known: number, entry: Entry): number {
  const offset = entry.time - steadyOf(entry)
  if (Math.abs(offset - known) < limits.clockStepMs) return known
  db.run('insert or replace into clock_step (seq, offset_ms) values (?, ?)', entry.seq, offset)
  return offset
}

/** How far the wall clock is ahead of the steady one at the newest entry, in ms. */
export function currentOffset(db: Database): number {
  return db.get<{ offset: number }>('select offset_ms as offset from clock_step order by seq desc limit 1')?.offset ?? 0
}

/** The SQL of a wall-clock time that entry `seq` stored, in steady time. */
export function asSteady(time: string, seq: string): string {
  return `(${time} - coalesce((select offset_ms from clock_step where seq <= ${seq} order by seq desc limit 1), 0))`
}
