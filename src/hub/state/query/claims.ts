import type { Database } from '../store/database.ts'

/** The newest claim to act for all hubs of the history. Whether it has run out, each observer decides by its own clock. */
export interface ClaimRow {
  hub: string
  /** Names the process of the hub. */
  run: string
  /** Of the newest entry that made or renewed it: what the next claim names as the one that it replaces. */
  seq: number
  /** 1 once the hub has given it up. */
  ended: 0 | 1
}

/** Undefined in a history in which no hub has claimed anything. */
export function claimOf(db: Database): ClaimRow | undefined {
  return db.get<ClaimRow>('select hub, run, seq, ended from claim')
}
