/** One live session of a member. */
export interface SessionInfo {
  session: string
  client: string
  /** Wall clock of the first heartbeat, ms since 1970. */
  since: number
  /** Project of its work, as claimed by its machine; undefined for none. */
  project?: string
  /** Activity reported with the last heartbeat; undefined for none. */
  activity: SessionActivity | undefined
}

/** Activity as a session reports it (protocol/activity.ts). Times are ms since 1970, none later than the heartbeat that reported it. */
export interface SessionActivity {
  branch?: string
  commit?: string
  busySince?: number
  idleSince?: number
  status?: string
  statusSetAt?: number
  /** Its open permission prompt. */
  prompt?: { id: string; tool?: string; since: number }
}
