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
import { unlessUnreadable } from './state/query/read-round.ts'
import { refused } from './state/refusal-words.ts'
import type { State } from './state/state.ts'
import { damagedStore } from './state/store/damage.ts'
import { isDamage } from './state/store/sqlite-errors.ts'
import { Indexing } from './upkeep/indexing.ts'
import { Ticks } from './upkeep/ticks.ts'

/** The name of the one file that holds a hub's state, in its data directory. */
export const databaseFile = 'hub.db'

/** The index of words, beside it: made anew where it is missing. */
export const wordIndexFile = 'search.db'

/** How often last-seen times are written down, in ms. */
const saveIntervalMs = 60_000

/** The least time between two notes that readers are ahead of the store, in ms: any reader can claim that. */
const putBackPauseMs = 60_000

/** What a hub is made of, and who is told what happens in it. */
export interface HubOptions extends Pick<JournalListeners, 'onCommit' | 'onBug' | 'onVerdict'> {
  /** What the journal has applied. The hub closes both. */
  state: State
  journal: Journal
  /** Whether this hub acts for all hubs of its history; the hub that stands alone does, and is the default. */
  duty?: Duty
  /** What this hub and the others of its history show each other; the hub closes it. Without one it stands alone. */
  board?: Board
  /** How far this hub is behind the log that it shares; the hub closes it. A hub that stands alone has none. */
  level?: Level
  /** Where the store and its companions are. */
  dataDir: string
  /** See `PresenceOptions.silenceMs`. */
  silenceMs?: number
  /** See `ReaderOptions`. */
  reading?: { limitMs?: number; idleMs?: number }
  /** Wall clock, ms since 1970. */
  now?: () => number
  /** Called each time that the wall clock was set, or does not fit the end of the history at the start. */
  onClockStep?: (step: ClockStep) => void
  /** Called, about once a minute at most, when a reader has a cursor from further on than the store goes: an older one was put back. */
  onPutBack?: (cursor: Cursor, newest: number) => void
  /** The store was found damaged, once: from then on it takes no commands, and is read as far as it can be. */
  onDamage?: (error: ClaudeNetError) => void
  /** The disk or the history refused. When `fatal` the hub takes no more commands and should be restarted. */
  onStorageError: (error: unknown, fatal: boolean) => void
}

/** The wall clock was set by `byMs`, or at the start it is as far from the end of the history; `at` is what it says since. */
export interface ClockStep {
  byMs: number
  atStart: boolean
  at: number
}

/**
 * State, journal and push as one thing with three verbs: `submit` a command, read the `state`, `follow` a member's changes.
 * Every door (HTTP, MCP over HTTP, Telegram) is made of these.
 */
export class Hub implements AsyncDisposable {
  readonly state: State
  readonly duty: Duty
  readonly board: Board
  readonly level: Level | undefined
  readonly presence: Presence
  readonly projects: ProjectSights
  readonly tokenUses: TokenUses
  /** What passes between all members, for those who look. */
  readonly traffic: Traffic
  /** The humans whose mail the Telegram door carries; the door says so. */
  readonly onTelegram = new Set<number>()
  /** Runs queries whose cost grows with what is stored; see `reading/asks.ts`. */
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
  /** How often this process has seen the wall clock set, and the last time. */
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

  /** The time that the history has seen pass, in ms since 1970: what deadlines go by. See `Entry`. */
  get steadyNow(): number {
    return this.#clock.steady
  }

  /** Carries out a command, durably. Throws a refusal as `ClaudeNetError`; `unavailable` means that it may be tried again. */
  async submit<C extends Command>(command: C): Promise<ResultOf<C>> {
    this.level?.expectWritable()
    const outcome = await this.#journal.submit(command)
    if (outcome.ok) return outcome.result
    throw refused(this.state.db, outcome.refusal)
  }

  /** Resolves once all that a reader with `cursor` has seen is here. Throws `unavailable` where a hub that shares its log is behind it. */
  async reached(cursor: Cursor): Promise<void> {
    const { epoch, seq } = this.state.position
    if (!this.level || cursor.epoch !== epoch || cursor.seq <= seq || (await this.level.reach(cursor.seq))) return
    throw this.level.behind()
  }

  /** Every change for `member` after `from`, old and new, until `signal` aborts. See `push/follow.ts`. */
  follow(
    member: number,
    from: Cursor | undefined,
    signal: AbortSignal,
    options?: FollowOptions,
  ): AsyncGenerator<Followed> {
    return follow(this.state, this.#wakes, member, from, signal, options)
  }

  /** When a session of this project was last heard of, in ms since 1970; undefined when that is not known any more. */
  projectSeenAt(member: number, project: string): number | undefined {
    return (
      this.projects.lastSeen(member, project) ?? unlessUnreadable(() => projectLastSeen(this.state.db, member, project))
    )
  }

  /** Why this hub takes nothing until it agrees with others again; see `Journal.apart`. */
  get apart(): string | undefined {
    return this.#journal.apart
  }

  /** What was found wrong with the store, for whoever asks; undefined as far as is known. */
  get damage(): ClaudeNetError | undefined {
    return this.#damage
  }

  /** The store is not what it was, as `found` says: nothing more is confirmed that a reader might not get to see. */
  foundDamage(found: string): void {
    if (this.#damage) return
    this.#damage = damagedStore(found)
    this.#journal.stop(this.#damage)
    this.#onDamage?.(this.#damage)
  }

  /** Calls `listener` with the public id of every token that stops counting. Answers how to stop that. */
  onRevoked(listener: (tokenId: string) => void): () => void {
    this.#revoked.add(listener)
    return () => this.#revoked.delete(listener)
  }

  /** Calls `listener` when tokens count on, but not as they did: until another time, or to be renewed. */
  onTokensChanged(listener: () => void): void {
    this.#tokensChanged.add(listener)
  }

  /** Calls `listener` when webhooks that post events were changed, or have something to try again. */
  onOutgoingChanged(listener: () => void): void {
    this.#outgoingChanged.add(listener)
  }

  /** Calls `listener` when the hubs of this history, what they have announced, or the rules in force, are others. */
  onHubsChanged(listener: () => void): void {
    this.#hubsChanged.add(listener)
  }

  /** Finishes what was submitted and leaves one clean file. Whoever follows ends that first, by its own signal. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#indexing.close()
    for (const timer of this.#timers) clearInterval(timer)
    this.level?.close()
    this.#sharedPresence?.close()
    await this.#journal.close()
    await this.board.close()
    // Before the store: the last to close it makes one file of it.
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

  /** Other readers may come with cursors between the end of this history and what they have seen: for them it is another epoch. */
  #putBack(cursor: Cursor): void {
    const now = performance.now()
    if (now - this.#putBackAt < putBackPauseMs) return
    this.#putBackAt = now
    const { epoch, seq } = this.state.position
    try {
      if (cursor.epoch === epoch) this.#journal.readerIsAhead()
    } catch {
      // The next command tells.
    }
    this.#onPutBack?.(cursor, seq)
  }

  #noteClockStep(byMs: number, atStart: boolean): void {
    const step = { byMs, atStart, at: this.#clock.read().time }
    this.clockSteps.count++
    this.clockSteps.last = step
    this.#onClockStep?.(step)
  }

  /** A command finds out as well, and stops the hub; an idle one must not take its next command into files that are gone. */
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
      // Only a convenience: a disk that refuses is noticed, and told, by the next command.
    }
  }
}
