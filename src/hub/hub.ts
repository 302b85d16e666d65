import { join } from 'node:path'
import type { ClaudeNetError } from '../protocol/errors.ts'
import type { Cursor } from '../protocol/events.ts'
import type { Journal, JournalListeners } from './journal/journal.ts'
import type { SteadyClock } from './journal/steady-clock.ts'
import { type Followed, type FollowOptions, follow, type InboxNews } from './push/follow.ts'
import { newsOf } from './push/news-of.ts'
import { Presence } from './push/presence.ts'
import { ProjectSights } from './push/project-sights.ts'
import { TokenUses } from './push/token-uses.ts'
import { Traffic } from './push/traffic.ts'
import { Wakes } from './push/wakes.ts'
import { auditFile } from './reading/audit-lines.ts'
import { Reader } from './reading/reader.ts'
import { type Board, noBoard } from './sharing/board.ts'
import { alone, type Duty } from './sharing/duty.ts'
import type { Level } from './sharing/level.ts'
import { SharedPresence } from './sharing/shared-presence.ts'
import { putTokenUses, receiveTokenUses } from './sharing/shared-token-uses.ts'
import type { Command, Effects, ResultOf } from './state/commands.ts'
import { lastSeenTimes, projectLastSeen, saveLastSeen, saveProjectsSeen, saveTokenUses } from './state/local/seen.ts'
import { projectSeenSteady } from './state/query/projects.ts'
import { unlessUnreadable } from './state/query/read-around-damage.ts'
import { refused } from './state/refusal-words.ts'
import type { State } from './state/state.ts'
import { damagedStore } from './state/store/damage.ts'
import { isDamage } from './state/store/sqlite-errors.ts'
import { Indexing } from './upkeep/indexing.ts'
import { Ticks } from './upkeep/ticks.ts'

/** Name of the one file with a hub's state, in its data directory. */
export const databaseFile = 'hub.db'

/** Name of the index of words beside it, which is rebuilt if it is missing. */
export const wordIndexFile = 'search.db'

/** Interval at which last-seen times are saved, in ms. */
const saveIntervalMs = 60_000

/** Least time between two reports that a reader is ahead of the store, in ms: any reader can claim that. */
const putBackPauseMs = 60_000

/** Parts of a hub, and its callbacks. */
export interface HubOptions extends Pick<JournalListeners, 'onCommit' | 'onBug' | 'onVerdict'> {
  /** State to which the journal applies its entries. The hub closes both. */
  state: State
  journal: Journal
  /** Decides whether this hub acts for all hubs of its history. Default: it does, as a standalone hub. */
  duty?: Duty
  /** Data shared between the hubs of a history; the hub closes it. Absent for a standalone hub. */
  board?: Board
  /** Tracks how far this hub is behind the log that it shares; the hub closes it. Absent for a standalone hub. */
  level?: Level
  /** Directory of the store and the files beside it. */
  dataDir: string
  /** See `PresenceOptions.silenceMs`. */
  silenceMs?: number
  /** See `ReaderOptions`. */
  reading?: { limitMs?: number; idleMs?: number }
  /** Wall clock, ms since 1970. */
  now?: () => number
  /** Called each time the wall clock was set, and when it does not fit the end of the history at the start. */
  onClockStep?: (step: ClockStep) => void
  /** Called, at most about once a minute, when a reader has a cursor beyond the end of the store: an older store was put back. */
  onPutBack?: (cursor: Cursor, newest: number) => void
  /** Called once when the store is found damaged: from then on the hub refuses commands, and reads what it can. */
  onDamage?: (error: ClaudeNetError) => void
  /** Called when the disk or the history refused a write. If `fatal`, the hub accepts no further commands and should be restarted. */
  onStorageError: (error: unknown, fatal: boolean) => void
}

/** The wall clock was set by `byMs`, or with `atStart` differs by that from the end of the history; `at` is its new time, ms since 1970. */
export interface ClockStep {
  byMs: number
  atStart: boolean
  at: number
}

/**
 * State, journal and push behind three operations: `submit` a command, read the `state`, `follow` a member's changes. Every door (HTTP,
 * MCP over HTTP, Telegram) uses these.
 */
export class Hub implements AsyncDisposable {
  readonly state: State
  readonly duty: Duty
  readonly board: Board
  readonly level: Level | undefined
  readonly presence: Presence
  readonly projects: ProjectSights
  readonly tokenUses: TokenUses
  /** Messages between all members, for those who follow them. */
  readonly traffic: Traffic
  /** Humans who receive their messages on Telegram; maintained by the bridge. */
  readonly onTelegram = new Set<number>()
  /** Runs queries whose cost grows with what is stored; see `reading/questions.ts`. */
  readonly reader: Reader
  readonly #journal: Journal
  readonly #wakes = new Wakes<InboxNews>()
  readonly #clock: SteadyClock
  readonly #onClockStep: HubOptions['onClockStep']
  readonly #onPutBack: HubOptions['onPutBack']
  readonly #timers: NodeJS.Timeout[]
  readonly #indexing: Indexing
  readonly #ticks: Ticks
  readonly #sharedPresence: SharedPresence | undefined
  readonly #revoked = new Set<(tokenId: string) => void>()
  readonly #tokensChanged = new Set<() => void>()
  readonly #outgoingChanged = new Set<() => void>()
  readonly #hubsChanged = new Set<() => void>()
  /** Number of times this process has seen the wall clock set, and the last one. */
  readonly clockSteps: { count: number; last: ClockStep | undefined } = { count: 0, last: undefined }
  readonly #onDamage: HubOptions['onDamage']
  #damage: ClaudeNetError | undefined
  #isClosed = false
  #putBackAt = -Infinity

  constructor(options: HubOptions) {
    this.state = options.state
    this.#journal = options.journal
    this.duty = options.duty ?? alone
    this.board = options.board ?? noBoard
    this.level = options.level
    this.state.onPutBack = cursor => this.#putBack(cursor)
    this.#clock = this.#journal.clock
    this.traffic = new Traffic(this.state)
    this.#onClockStep = options.onClockStep
    this.#onPutBack = options.onPutBack
    const file = (name: string) => join(options.dataDir, name)
    const files = { store: file(databaseFile), wordIndex: file(wordIndexFile), audit: file(auditFile) }
    this.reader = new Reader({
      files,
      alone: this.state.db.isAlone ? this.state.db : undefined,
      onDamage: found => this.foundDamage(found),
      settling: () => this.#journal.settling(),
      ...options.reading,
    })
    this.presence = new Presence({
      silenceMs: options.silenceMs,
      now: options.now,
      isFirst: this.state.position.seq === 0,
      lastSeen: lastSeenTimes(this.state.db),
    })
    this.projects = new ProjectSights({
      now: options.now ?? Date.now,
      steady: () => this.steadyNow,
      toldAt: (member, project) => projectSeenSteady(this.state.db, member, project),
      tell: (by, project) => this.submit({ type: 'project.see', by, project }),
    })
    this.tokenUses = new TokenUses(options.now)
    if (this.level) {
      this.#sharedPresence = new SharedPresence(this)
      receiveTokenUses(this.board, this.tokenUses, options.now)
    }
    this.#journal.start({
      onCommit: commit => {
        options.onCommit?.(commit)
        this.traffic.committed(commit)
        this.level?.applied()
      },
      onBug: options.onBug,
      onVerdict: options.onVerdict,
      onEffects: effects => this.#carryOut(effects),
      onStorageError: (error, fatal) => {
        if (isDamage(error)) this.foundDamage((error as Error).message)
        else options.onStorageError(error, fatal)
      },
    })
    this.#onDamage = options.onDamage
    this.state.db.onUnreadable = error => this.foundDamage((error as Error).message)
    this.#indexing = new Indexing({
      state: this.state,
      reader: this.reader,
      isDamaged: () => this.#damage !== undefined,
    })
    this.#ticks = new Ticks({
      db: this.state.db,
      duty: this.duty,
      steadyNow: () => this.steadyNow,
      submit: command => this.submit(command),
    })
    this.#timers = [
      setInterval(() => this.#everySecond(), 1000).unref(),
      setInterval(() => this.#saveLastSeen(), saveIntervalMs).unref(),
    ]
    if (this.#clock.wrongAtStart !== undefined) this.#noteClockStep(this.#clock.wrongAtStart, true)
  }

  /** Steady time, in ms since 1970, by which deadlines are measured. See `Entry`. */
  get steadyNow(): number {
    return this.#clock.steady
  }

  /** Applies a command durably. Throws a refusal as `ClaudeNetError`; `unavailable` means that it may be retried. */
  async submit<C extends Command>(command: C): Promise<ResultOf<C>> {
    this.level?.expectWritable()
    const outcome = await this.#journal.submit(command)
    if (outcome.ok) return outcome.result
    throw refused(this.state.db, outcome.refusal)
  }

  /** Resolves once everything up to `cursor` is applied here. Throws `unavailable` if a hub that shares its log stays behind it. */
  async reached(cursor: Cursor): Promise<void> {
    const { epoch, seq } = this.state.position
    if (!this.level || cursor.epoch !== epoch || cursor.seq <= seq || (await this.level.reach(cursor.seq))) return
    throw this.level.behind()
  }

  /** Yields every change for `member` after `from`, old and new, until `signal` aborts. See `push/follow.ts`. */
  follow(
    member: number,
    from: Cursor | undefined,
    signal: AbortSignal,
    options?: FollowOptions,
  ): AsyncGenerator<Followed> {
    return follow(this.state, this.#wakes, member, from, signal, options)
  }

  /** Returns the time of the last heartbeat of a session of this project, in ms since 1970; undefined if unknown. */
  projectSeenAt(member: number, project: string): number | undefined {
    return (
      this.projects.lastSeen(member, project) ?? unlessUnreadable(() => projectLastSeen(this.state.db, member, project))
    )
  }

  /** Reason why this hub refuses commands until it agrees with others again; see `Journal.apart`. */
  get apart(): string | undefined {
    return this.#journal.apart
  }

  /** Damage found in the store, or undefined. */
  get damage(): ClaudeNetError | undefined {
    return this.#damage
  }

  /** Records damage of the store and stops the journal, so that nothing more is confirmed that readers might not see. */
  foundDamage(found: string): void {
    if (this.#damage) return
    this.#damage = damagedStore(found)
    this.#journal.stop(this.#damage)
    this.#onDamage?.(this.#damage)
  }

  /** Calls `listener` with the public id of every token that is revoked. Returns a function that unsubscribes. */
  onRevoked(listener: (tokenId: string) => void): () => void {
    this.#revoked.add(listener)
    return () => this.#revoked.delete(listener)
  }

  /** Calls `listener` when tokens stay valid but their expiry or renewal changed. */
  onTokensChanged(listener: () => void): void {
    this.#tokensChanged.add(listener)
  }

  /** Calls `listener` when webhooks that post events were changed, or have something to retry. */
  onOutgoingChanged(listener: () => void): void {
    this.#outgoingChanged.add(listener)
  }

  /** Calls `listener` when the hubs of this history, their announcements or the rules in force changed. */
  onHubsChanged(listener: () => void): void {
    this.#hubsChanged.add(listener)
  }

  /** Finishes submitted commands and leaves one clean file. Followers have to be ended first, by their own signals. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#indexing.close()
    for (const timer of this.#timers) clearInterval(timer)
    this.level?.close()
    this.#sharedPresence?.close()
    await this.#journal.close()
    await this.board.close()
    // Before the store: the last connection to close merges the write-ahead log into it.
    await this.reader.close()
    try {
      this.#saveLastSeen()
    } finally {
      this.state.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #carryOut({ wake, delivery, revoked, tokensChanged, outgoingChanged, hubsChanged }: Effects): void {
    if (wake) this.#wakes.wake(wake, delivery && newsOf(this.state.db, delivery))
    for (const tokenId of revoked ?? []) for (const listener of this.#revoked) listener(tokenId)
    if (tokensChanged) for (const listener of this.#tokensChanged) listener()
    if (outgoingChanged) for (const listener of this.#outgoingChanged) listener()
    if (hubsChanged) for (const listener of this.#hubsChanged) listener()
  }

  #everySecond(): void {
    this.#lookAtFiles()
    const step = this.#clock.takeStep()
    if (step !== undefined) this.#noteClockStep(step, false)
    this.#indexing.run()
    this.presence.sweep()
    void this.#ticks.run()
  }

  /** Begins a new epoch on a hub that was set back: other readers may hold cursors from the part of the history that is gone. */
  #putBack(cursor: Cursor): void {
    const now = performance.now()
    if (now - this.#putBackAt < putBackPauseMs) return
    this.#putBackAt = now
    const { epoch, seq } = this.state.position
    try {
      if (cursor.epoch === epoch) this.#journal.readerIsAhead()
    } catch {
      // The next command reports it.
    }
    this.#onPutBack?.(cursor, seq)
  }

  #noteClockStep(byMs: number, atStart: boolean): void {
    const step = { byMs, atStart, at: this.#clock.read().time }
    this.clockSteps.count++
    this.clockSteps.last = step
    this.#onClockStep?.(step)
  }

  /** Submits a tick when the store's files are gone, which stops the hub: otherwise an idle hub would notice only with its next command. */
  #lookAtFiles(): void {
    try {
      this.state.db.expectOwnFiles()
    } catch {
      void this.submit({ type: 'clock.tick' }).catch(() => {})
    }
  }

  #saveLastSeen(): void {
    try {
      saveLastSeen(this.state.db, this.presence.takeUnsaved())
      saveProjectsSeen(this.state.db, this.projects.takeUnsaved())
      const uses = this.tokenUses.takeUnsaved()
      if (this.level) putTokenUses(this.board, this.tokenUses, uses)
      saveTokenUses(this.state.db, uses)
    } catch {
      // Not essential: the next command meets the same error and reports it.
    }
  }
}
