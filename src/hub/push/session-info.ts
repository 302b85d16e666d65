/** One live session of a member. */
export interface SessionInfo {
  session: string
  client: string
  /** Wall clock of the first heartbeat, ms since 1970. */
  since: number
  /** The project that it works on, as its machine claims; undefined for none. */
  project?: string
  /** What it said of itself with the last heartbeat; undefined for nothing. */
  activity: SessionActivity | undefined
}

/** What a session says of itself (protocol/activity.ts). Times are ms since 1970, none of them after the heartbeat that said so. */
export interface SessionActivity {
  branch?: string
  commit?: string
  busySince?: number
  idleSince?: number
  status?: string
  statusSetAt?: number
  /** The permission prompt that is open in it. */
  prompt?: { id: string; tool?: string; since: number }
}
