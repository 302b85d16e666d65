import { EventEmitter } from 'node:events'
import { type RemoteSession, RemoteSessions } from './remote-sessions.ts'
import type { SessionActivity, SessionInfo } from './session-info.ts'

/** Whether a member is online, and when it was last seen. */
export interface PresenceState {
  online: boolean
  /** Wall clock of the last heartbeat, ms since 1970; null if there was none. */
  lastSeenAt: number | null
}

export interface PresenceOptions {
  /** Time a session may stay silent before it counts as ended, in ms. Each heartbeat (one every 5 s) restarts it. */
  silenceMs?: number
  /** Clock that never steps, in ms, for deadlines. */
  monotonic?: () => number
  /** Wall clock, ms since 1970, for display only. */
  now?: () => number
  /** Whether this hub has just begun its history: no session exists yet, so a missing member is offline, not late. */
  isFirst?: boolean
  /** Last heartbeat of each member before this start, by member: wall clock, ms since 1970. */
  lastSeen?: ReadonlyMap<number, number>
}

/** Most live sessions of one member. A machine has a few; only a loop or an attack reaches this. */
export const maxSessions = 1000

export interface Live extends SessionInfo {
  /** Awake time of the last heartbeat, see `#awakeMs`. */
  beatAt: number
  /** Wall clock of the last heartbeat, ms since 1970. */
  seenAt: number
}

/** Reports changes of this hub's own sessions, those that send their heartbeats here, to the other hubs of its history. */
export interface PresencePublisher {
  /** With `now` the change is one that people wait for. */
  changed(member: number, session: string, now: boolean): void
  /** The session sends no more heartbeats to this hub; `live` is its last state. */
  left(member: number, live: Live): void
  /** The session was ended by a request to this hub, but another hub received its heartbeats. */
  endedElsewhere(member: number, session: string): void
}

/** Reports whether a heartbeat changes nothing that other hubs need. */
function isSame(a: Live, b: Live): boolean {
  const said = ({ client, project, activity }: Live) => JSON.stringify([client, project, activity])
  return said(a) === said(b)
}

function promptOf(live: SessionInfo | undefined): string | undefined {
  return live?.activity?.prompt?.id
}

/** Longest time without a sweep or a heartbeat in which the hub still counts as awake, in ms: twice the interval of sweeps. */
const maxGapMs = 2000

interface Events {
  /** A member came online or went offline. */
  changed: [member: number]
  /** A session timed out or ended. */
  gone: [member: number, session: string]
}

/**
 * Tracks which members are online: those with a session that recently sent a heartbeat to this hub or to another that shares its log. Kept
 * in memory only, because after a restart every running session sends a heartbeat within 5 s.
 */
export class Presence extends EventEmitter<Events> {
  readonly #silenceMs: number
  readonly #monotonic: () => number
  readonly #now: () => number
  /** Sessions that send their heartbeats to this hub. */
  readonly #members = new Map<number, Map<string, Live>>()
  /** Sessions that send them to other hubs. */
  readonly #remote = new RemoteSessions()
  /** Undefined on a standalone hub. */
  publisher: PresencePublisher | undefined
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

  /** Records a heartbeat. Returns false, and ignores it, if the session is new and the member already has `maxSessions`. */
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
    if (this.publisher && !(known && isSame(known, live))) {
      this.publisher.changed(member, session, !known || known.project !== project || promptOf(known) !== promptOf(live))
    }
    if (this.#members.has(member)) return true
    this.#members.set(member, sessions)
    if (this.#remote.countOf(member) === 0) this.emit('changed', member)
    return true
  }

  /** Records that the session ended by itself. Returns whether it was known. */
  end(member: number, session: string): boolean {
    const isRemote = this.#remote.forget(member, session)
    if (isRemote) this.publisher?.endedElsewhere(member, session)
    const isHere = this.#drop(member, session)
    if (isRemote || isHere) this.#reportEnd(member, session)
    return isRemote || isHere
  }

  /**
   * Replaces the sessions that another hub reported under `source`. A session that is new there and also known here has moved there.
   * `seenAt` is the last-seen time of sessions that are now missing, unless it is reported separately.
   */
  setRemote(source: string, sessions: readonly RemoteSession[], seenAt?: number): void {
    const wasOnline = (member: number) => this.#members.has(member) || this.#remote.countOf(member) > 0
    const before = new Map(sessions.map(({ member }) => [member, wasOnline(member)]))
    const { removed, added } = this.#remote.set(source, sessions)
    for (const { member, session } of added) this.#drop(member, session)
    for (const [member, was] of before) if (!was) this.emit('changed', member)
    for (const { member, session } of removed) {
      if (seenAt !== undefined) this.seenElsewhere(member, seenAt)
      if (!this.#isLive(member, session)) this.#reportEnd(member, session)
    }
  }

  /** Records that another hub saw a member at `at`, ms since 1970. */
  seenElsewhere(member: number, at: number): void {
    if (at <= (this.#lastSeen.get(member) ?? 0)) return
    this.#lastSeen.set(member, at)
    this.#unsaved.set(member, at)
  }

  /** Ends a session of this hub because another hub was asked to. */
  endHere(member: number, session: string): void {
    if (this.#drop(member, session) && !this.#isLive(member, session)) this.#reportEnd(member, session)
  }

  /** Returns a session that sends its heartbeats to this hub. */
  localSession(member: number, session: string): Live | undefined {
    return this.#members.get(member)?.get(session)
  }

  /** Removes a session of this hub. Returns whether there was one. */
  #drop(member: number, session: string): boolean {
    const sessions = this.#members.get(member)
    const live = sessions?.get(session)
    if (!sessions || !live) return false
    sessions.delete(session)
    if (sessions.size === 0) this.#members.delete(member)
    this.publisher?.left(member, live)
    return true
  }

  #isLive(member: number, session: string): boolean {
    return (this.#members.get(member)?.has(session) ?? false) || this.#remote.get(member, session) !== undefined
  }

  #reportEnd(member: number, session: string): void {
    this.emit('gone', member, session)
    if (!this.of(member).online) this.emit('changed', member)
  }

  /**
   * Ends every session that has been silent for too long. To be called about once a second. Time in which the hub itself was stalled
   * (stopped, swapped out, blocked on a disk) does not count as silence, since heartbeats could not be read.
   */
  sweep(): void {
    const oldest = this.#awakeMs() - this.#silenceMs
    for (const [member, sessions] of this.#members) {
      for (const { session, beatAt } of sessions.values()) {
        if (beatAt < oldest && this.#drop(member, session) && !this.#isLive(member, session))
          this.#reportEnd(member, session)
      }
    }
  }

  /** Returns monotonic time without the gaps in which the hub was stalled, in ms. */
  #awakeMs(): number {
    const now = this.#monotonic()
    this.#stalledMs += Math.max(0, now - this.#lookedAt - maxGapMs)
    this.#lookedAt = now
    return now - this.#stalledMs
  }

  /** Whether the hub has run for long enough to receive a heartbeat of every live session: before that, a missing one may just be late. */
  get isSettled(): boolean {
    return this.#awakeMs() - this.#startedAt >= this.#silenceMs
  }

  of(member: number): PresenceState {
    if (this.#members.has(member)) return { online: true, lastSeenAt: this.#lastSeen.get(member) ?? null }
    // The hub that receives the heartbeats reports when they end.
    if (this.#remote.countOf(member) > 0) return { online: true, lastSeenAt: this.#now() }
    return { online: false, lastSeenAt: this.#lastSeen.get(member) ?? null }
  }

  /** Returns the live sessions of `member`, oldest first. */
  sessionsOf(member: number): SessionInfo[] {
    const here = this.#members.get(member)
    const elsewhere = this.#remote.of(member).filter(({ session }) => !here?.has(session))
    return [...(here?.values() ?? []), ...elsewhere].sort((a, b) => a.since - b.since)
  }

  /** Returns the number of live sessions of `member`, and of those that work on each project. */
  sessionCounts(member: number): { sessions: number; ofProjects: ReadonlyMap<string, number> } {
    const ofProjects = new Map<string, number>()
    const sessions =
      this.#remote.countOf(member) > 0 ? this.sessionsOf(member) : [...(this.#members.get(member)?.values() ?? [])]
    for (const { project } of sessions)
      if (project !== undefined) ofProjects.set(project, (ofProjects.get(project) ?? 0) + 1)
    return { sessions: sessions.length, ofProjects }
  }

  /** Returns the last-seen times that changed since the previous call. */
  takeUnsaved(): ReadonlyMap<number, number> {
    const unsaved = this.#unsaved
    this.#unsaved = new Map()
    return unsaved
  }
}
