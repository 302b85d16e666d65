import type { Entry } from '../commands.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'

/** Returns the steady time of an entry. */
export function steadyOf({ time, steady = time }: Pick<Entry, 'time' | 'steady'>): number {
  return steady
}

/**
 * Records when the lead of the wall clock over the steady one changes with `entry`, so that stored wall-clock times can be converted
 * (`asSteady`). Returns the lead in force, in ms; `known` is the one before. To be called before the entry is applied, so that its outcome
 * does not depend on which entries share its transaction.
 */
export function recordClockStep(db: Database, known: number, entry: Entry): number {
  const offset = entry.time - steadyOf(entry)
  if (Math.abs(offset - known) < limits.clockStepMs) return known
  db.run('insert or replace into clock_step (seq, offset_ms) values (?, ?)', entry.seq, offset)
  return offset
}

/** Returns the lead of the wall clock over the steady one at the newest entry, in ms. */
export function currentOffset(db: Database): number {
  return db.get<{ offset: number }>('select offset_ms as offset from clock_step order by seq desc limit 1')?.offset ?? 0
}

/** Returns SQL that converts a wall-clock time stored by entry `seq` to steady time. */
export function asSteady(time: string, seq: string): string {
  return `(${time} - coalesce((select offset_ms from clock_step where seq <= ${seq} order by seq desc limit 1), 0))`
}
