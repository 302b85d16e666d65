import type { Database } from '../store/database.ts'

/** The newest claim to act for all hubs of the history. Each hub decides by its own clock whether it has expired. */
export interface ClaimRow {
  hub: string
  /** Id of the hub's process. */
  run: string
  /** Seq of the newest entry that made or renewed it, by which the next claim names it as replaced. */
  seq: number
  /** 1 once the hub has given it up. */
  ended: 0 | 1
}

/** Returns undefined when no hub has made a claim. */
export function claimOf(db: Database): ClaimRow | undefined {
  return db.get<ClaimRow>('select hub, run, seq, ended from claim')
}
