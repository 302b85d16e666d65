import { EventEmitter } from 'node:events'
import { type RemoteSession, RemoteSessions } from './remote-sessions.ts'
import type { SessionActivity, SessionInfo } from './session-info.ts'

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

export interface Live extends SessionInfo {
  /** Awake time of the last heartbeat. */
  beatAt: number
  /** Wall clock of the last heartbeat, ms since 1970. */
  seenAt: number
}

/** What is told to other hubs of this history: a session of which this hub hears has changed (`now`: so that people wait for it), or has ended. */
export interface PresenceTeller {
  changed(member: number, session: string, now: boolean): void
  /** This hub hears no more of the session; it was last heard of as `live` says. */
  left(member: number, live: Live): void
  /** The session was ended here, and another hub heard of it. */
  endedElsewhere(member: number, session: string): void
}

/** Whether other hubs need not be told of a heartbeat. */
function isSame(a: Live, b: Live): boolean {
  const said = ({ client, project, activity }: Live) => JSON.stringify([client, project, activity])
  return said(a) === said(b)
}

function promptOf(live: SessionInfo | undefined): string | undefined {
  return live?.activity?.prompt?.id
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
 * Who is online: members with a session that was heard of lately, by this hub or by another that shares its log. Kept in memory, since it
 * need not survive a restart: a session that lives is heard of again within 5 s.
 */
export class Presence extends EventEmitter<Events> {
  readonly #silenceMs: number
  readonly #monotonic: () => number
  readonly #now: () => number
  /** The sessions of which this hub hears, and those of which others do. */
  readonly #members = new Map<number, Map<string, Live>>()
  readonly #remote = new RemoteSessions()
  /** Absent where this hub stands alone. */
  teller: PresenceTeller | undefined
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
    const remote = known ? undefined : this.#remote.get(member, session)
    if (!known && !remote && sessions.size + this.#remote.countOf(member) >= maxSessions) return false
    const since = (known ?? remote)?.since ?? now
    const live = { session, client, since, project, activity, beatAt: this.#awakeMs(), seenAt: now }
    sessions.set(session, live)
    if (this.teller && !(known && isSame(known, live))) {
      this.teller.changed(member, session, !known || known.project !== project || promptOf(known) !== promptOf(live))
    }
    if (this.#members.has(member)) return true
    this.#members.set(member, sessions)
    if (this.#remote.countOf(member) === 0) this.emit('changed', member)
    return true
  }

  /** The session ended by itself. Answers whether it was known. */
  end(member: number, session: string): boolean {
    const isRemote = this.#remote.forget(member, session)
    if (isRemote) this.teller?.endedElsewhere(member, session)
    const isHere = this.#drop(member, session)
    if (isRemote || isHere) this.#tellGone(member, session)
    return isRemote || isHere
  }

  /**
   * What another hub tells now under `source` of the sessions of which it hears, in the place of what it told before. One of which this hub
   * hears too, and that is new there, has moved there. `seenAt` is when those that are missing were last heard of, where that is not told
   * by itself.
   */
  setRemote(source: string, sessions: readonly RemoteSession[], seenAt?: number): void {
    const wasOnline = (member: number) => this.#members.has(member) || this.#remote.countOf(member) > 0
    const before = new Map(sessions.map(({ member }) => [member, wasOnline(member)]))
    const { left, come } = this.#remote.set(source, sessions)
    for (const { member, session } of come) this.#drop(member, session)
    for (const [member, was] of before) if (!was) this.emit('changed', member)
    for (const { member, session } of left) {
      if (seenAt !== undefined) this.seenElsewhere(member, seenAt)
      if (!this.#isLive(member, session)) this.#tellGone(member, session)
    }
  }

  /** Another hub has heard of a member at `at`, ms since 1970. */
  seenElsewhere(member: number, at: number): void {
    if (at <= (this.#lastSeen.get(member) ?? 0)) return
    this.#lastSeen.set(member, at)
    this.#unsaved.set(member, at)
  }

  /** A session of which this hub hears has ended, as another hub was told. */
  endHere(member: number, session: string): void {
    if (this.#drop(member, session) && !this.#isLive(member, session)) this.#tellGone(member, session)
  }

  /** A session of which this hub hears. */
  localSession(member: number, session: string): Live | undefined {
    return this.#members.get(member)?.get(session)
  }

  /** This hub hears no more of a session. Returns whether it did. */
  #drop(member: number, session: string): boolean {
    const sessions = this.#members.get(member)
    const live = sessions?.get(session)
    if (!sessions || !live) return false
    sessions.delete(session)
    if (sessions.size === 0) this.#members.delete(member)
    this.teller?.left(member, live)
    return true
  }

  #isLive(member: number, session: string): boolean {
    return (this.#members.get(member)?.has(session) ?? false) || this.#remote.get(member, session) !== undefined
  }

  #tellGone(member: number, session: string): void {
    this.emit('gone', member, session)
    if (!this.of(member).online) this.emit('changed', member)
  }

  /**
   * Ends every session that has been silent for too long. Call it about once a second: time in which the hub itself stood still
   * (stopped, swapped out, behind a disk that hung) is no silence of a session, since its heartbeats could not be read.
   */
  sweep(): void {
    const oldest = this.#awakeMs() - this.#silenceMs
    for (const [member, sessions] of this.#members) {
      for (const { session, beatAt } of sessions.values()) {
        if (beatAt < oldest && this.#drop(member, session) && !this.#isLive(member, session))
          this.#tellGone(member, session)
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
    if (this.#members.has(member)) return { online: true, lastSeenAt: this.#lastSeen.get(member) ?? null }
    // The hub that hears of its sessions tells when it hears no more.
    if (this.#remote.countOf(member) > 0) return { online: true, lastSeenAt: this.#now() }
    return { online: false, lastSeenAt: this.#lastSeen.get(member) ?? null }
  }

  /** The live sessions of `member`, the longest first. */
  sessionsOf(member: number): SessionInfo[] {
    const here = this.#members.get(member)
    const elsewhere = this.#remote.of(member).filter(({ session }) => !here?.has(session))
    return [...(here?.values() ?? []), ...elsewhere].sort((a, b) => a.since - b.since)
  }

  /** How many sessions of `member` live, and how many of them work on each project. */
  sessionCounts(member: number): { sessions: number; ofProjects: ReadonlyMap<string, number> } {
    const ofProjects = new Map<string, number>()
    const sessions =
      this.#remote.countOf(member) > 0 ? this.sessionsOf(member) : [...(this.#members.get(member)?.values() ?? [])]
    for (const { project } of sessions)
      if (project !== undefined) ofProjects.set(project, (ofProjects.get(project) ?? 0) + 1)
    return { sessions: sessions.length, ofProjects }
  }

  /** The last-seen times that changed since this was last called. */
  takeUnsaved(): ReadonlyMap<number, number> {
    const unsaved = this.#unsaved
    this.#unsaved = new Map()
    return unsaved
  }
}
