import { EventEmitter } from 'node:events'

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

/** Whether a member is there, or since when not. */
export interface PresenceState {
  online: boolean
  /** Wall clock of the last heartbeat, ms since 1970; null for a member who never came. */
  lastSeenAt: number | null
}

export interface PresenceOptions {
  /** How long a session may stay silent before it counts as gone, in ms. Every heartbeat (one each 5 s) starts it anew. */
  silenceMs?: number
  /** A clock that never steps, in ms: deadlines go by it. */
  monotonic?: () => number
  /** Wall clock, ms since 1970: only for what is shown. */
  now?: () => number
  /** No session lives yet, since this hub has just begun its history: whoever is missing is not there. */
  isFirst?: boolean
  /** From before this start: wall clock of each member's last heartbeat, ms since 1970, by member. */
  lastSeen?: ReadonlyMap<number, number>
}

/** Most live sessions of one member. A machine has a few; only a loop or an attack makes more. */
export const maxSessions = 1000

interface Live extends SessionInfo {
  /** Awake time of the last heartbeat. */
  beatAt: number
}

/** How long the hub may go without a sweep or a heartbeat and still count as awake, in ms: twice the pause between two sweeps. */
const maxGapMs = 2000

interface Events {
  /** A member came online or went offline. */
  changed: [member: number]
  /** A session fell silent or ended. */
  gone: [member: number, session: string]
}

/**
 * Who is online: members with a session that was heard of lately. Kept in memory, since it need not survive a restart: a
 * session that lives is heard of again within 5 s.
 */
export class Presence extends EventEmitter<Events> {
  readonly #silenceMs: number
  readonly #monotonic: () => number
  readonly #now: () => number
  readonly #members = new Map<number, Map<string, Live>>()
  readonly #lastSeen: Map<number, number>
  readonly #startedAt: number
  #lookedAt: number
  #stalledMs = 0
  #unsaved = new Map<number, number>()

  constructor(options: PresenceOptions = {}) {
    super({ captureRejections: false })
    this.setMaxListeners(0)
    this.#silenceMs = options.silenceMs ?? 15_000
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#now = options.now ?? Date.now
    this.#lastSeen = new Map(options.lastSeen)
    this.#lookedAt = this.#monotonic()
    this.#startedAt = options.isFirst ? Number.NEGATIVE_INFINITY : this.#lookedAt
  }

  /** Session `session` of `member` lives. Answers false, and counts it not, when the member has `maxSessions` others. */
  beat(member: number, session: string, client: string, activity?: SessionActivity, project?: string): boolean {
    const now = this.#now()
    this.#lastSeen.set(member, now)
    this.#unsaved.set(member, now)
    const sessions = this.#members.get(member) ?? new Map<string, Live>()
    const known = sessions.get(session)
    if (!known && sessions.size >= maxSessions) return false
    sessions.set(session, { session, client, since: known?.since ?? now, project, activity, beatAt: this.#awakeMs() })
    if (this.#members.has(member)) return true
    this.#members.set(member, sessions)
    this.emit('changed', member)
    return true
  }

  /** The session ended by itself. Answers whether it was known. */
  end(member: number, session: string): boolean {
    const sessions = this.#members.get(member)
    if (!sessions?.delete(session)) return false
    const isOffline = sessions.size === 0
    if (isOffline) this.#members.delete(member)
    this.emit('gone', member, session)
    if (isOffline) this.emit('changed', member)
    return true
  }

  /**
   * Ends every session that has been silent for too long. Call it about once a second: time in which the hub itself stood still
   * (stopped, swapped out, behind a disk that hung) is no silence of a session, since its heartbeats could not be read.
   */
  sweep(): void {
    const oldest = this.#awakeMs() - this.#silenceMs
    for (const [member, sessions] of this.#members) {
      for (const { session, beatAt } of sessions.values()) {
        if (beatAt < oldest) this.end(member, session)
      }
    }
  }

  /** Monotonic time without the gaps in which the hub stood still. */
  #awakeMs(): number {
    const now = this.#monotonic()
    this.#stalledMs += Math.max(0, now - this.#lookedAt - maxGapMs)
    this.#lookedAt = now
    return now - this.#stalledMs
  }

  /** Whether every session that lives has been heard of since this began: before that, one that is missing may only be late. */
  get isSettled(): boolean {
    return this.#awakeMs() - this.#startedAt >= this.#silenceMs
  }

  of(member: number): PresenceState {
    return { online: this.#members.has(member), lastSeenAt: this.#lastSeen.get(member) ?? null }
  }

  /** The live sessions of `member`, the longest first. */
  sessionsOf(member: number): SessionInfo[] {
    return [...(this.#members.get(member)?.values() ?? [])].sort((a, b) => a.since - b.since)
  }

  /** How many sessions of `member` live, and how many of them work on each project. */
  sessionCounts(member: number): { sessions: number; ofProjects: ReadonlyMap<string, number> } {
    const ofProjects = new Map<string, number>()
    const sessions = this.#members.get(member)
    for (const { project } of sessions?.values() ?? [])
      if (project !== undefined) ofProjects.set(project, (ofProjects.get(project) ?? 0) + 1)
    return { sessions: sessions?.size ?? 0, ofProjects }
  }

  /** The last-seen times that changed since this was last called. */
  takeUnsaved(): ReadonlyMap<number, number> {
    const unsaved = this.#unsaved
    this.#unsaved = new Map()
    return unsaved
  }
}
