import { ClaudeNetError } from '../../protocol/errors.ts'

/** Interval at which the log is asked for its end, in ms, and the wait after a failure. */
const askMs = 1000
const retryMs = 250

/** A hub counts as level with the log if it had applied all of it this recently, in ms. */
const levelMs = 2000

/** Time without being level after which a hub accepts no commands, in ms: by then the journal would give them up. */
const writableMs = 5000

/** Time for which a reader waits for an entry that it has seen at another hub, in ms. */
const patienceMs = 2000

/** Least time between two requests to the log made for readers, in ms: any stranger can cause one. */
const catchUpMs = 50

/** Most ends of the log stored until this hub has applied them. */
const maxPending = 64

export interface LevelOptions {
  /** See `Log.last`: covers every record that was durable when it was called. */
  last: () => Promise<number>
  /** Returns how far this hub has applied the log. */
  position: () => { offset: number; seq: number }
  /** Time for which a hub that is cut off from the log still serves reads, in s. Default: 10. */
  staleReadsS?: number
  /** Monotonic clock, in ms. */
  monotonic?: () => number
}

/**
 * Tracks how far this hub may be behind the log that it shares: asks the log once a second for its end, and records when everything up to
 * there is applied. A hub that is cut off from the log misses what others write, such as the revocation of a token: after a while it
 * refuses reads too, until it is level again.
 */
export class Level {
  readonly #options: LevelOptions
  readonly #monotonic: () => number
  readonly #end = new AbortController()
  readonly #lost = new Set<() => void>()
  readonly #waiting = new Set<{ isReached: () => boolean; resolve: (isReached: boolean) => void }>()
  /** Ends of the log that this hub has not applied yet, with a lower bound of the time of each. */
  #pending: { offset: number; askedAt: number }[] = []
  #levelAt: number
  #isLost = false
  #asking: Promise<void> | undefined
  /** The last request made for readers, when it started, and the next one. */
  #last: Promise<unknown> = Promise.resolve()
  #lastAt = -Infinity
  #next: Promise<number> | undefined
  #timer: NodeJS.Timeout | undefined

  /** Assumes that the hub is level now. */
  constructor(options: LevelOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#levelAt = this.#monotonic()
    this.#askIn(askMs)
  }

  /** Upper bound of the time since this hub had applied all of the log, in ms. */
  get ageMs(): number {
    const { offset } = this.#options.position()
    const reached = this.#pending.findLastIndex(each => each.offset <= offset)
    if (reached >= 0) {
      this.#levelAt = Math.max(this.#levelAt, this.#pending[reached]!.askedAt)
      this.#pending.splice(0, reached + 1)
    }
    return this.#monotonic() - this.#levelAt
  }

  /** Possible age of what is read here, in whole s; undefined while this hub is level with the log. */
  get staleS(): number | undefined {
    const { ageMs } = this
    return ageMs > levelMs ? Math.floor(ageMs / 1000) : undefined
  }

  /** Whether reads are refused because this hub has been cut off for too long. */
  get isCutOff(): boolean {
    return this.ageMs > Math.max(levelMs, (this.#options.staleReadsS ?? 10) * 1000)
  }

  /** Throws `unavailable` when what is read here may be too old. */
  expectReadable(): void {
    if (this.isCutOff) throw this.#cutOff()
  }

  /** Throws `unavailable` when the log has been unreachable for so long that it would not accept a command. */
  expectWritable(): void {
    if (this.ageMs > writableMs) throw this.#cutOff()
  }

  /** Calls `listener` each time that this hub becomes cut off. Returns a function that unsubscribes. */
  onCutOff(listener: () => void): () => void {
    this.#lost.add(listener)
    return () => this.#lost.delete(listener)
  }

  /** Resolves to true once the entry `seq` is applied here, to false after 2 s. */
  reach(seq: number): Promise<boolean> {
    return this.#until(() => this.#options.position().seq >= seq)
  }

  /** Resolves to true once everything in the log at the time of the call is applied here, to false after 2 s. */
  catchUp(): Promise<boolean> {
    this.#next ??= this.#askForRequests()
    let end: number | undefined
    this.#next.then(
      offset => {
        end = offset
        this.applied()
      },
      () => {},
    )
    return this.#until(() => end !== undefined && this.#options.position().offset >= end)
  }

  /** Asks the log for its end, after the previous request, once for all callers that wait meanwhile. */
  async #askForRequests(): Promise<number> {
    await this.#last
    await new Promise(resolve => setTimeout(resolve, this.#lastAt + catchUpMs - this.#monotonic()).unref())
    this.#next = undefined
    this.#lastAt = this.#monotonic()
    const asked = this.#options.last()
    this.#last = asked.catch(() => {})
    return asked
  }

  #until(isReached: () => boolean): Promise<boolean> {
    if (isReached()) return Promise.resolve(true)
    if (this.#end.signal.aborted) return Promise.resolve(false)
    return new Promise(resolve => {
      const timer = setTimeout(() => waiter.resolve(false), patienceMs).unref()
      const waiter = {
        isReached,
        resolve: (isReached: boolean) => {
          clearTimeout(timer)
          this.#waiting.delete(waiter)
          resolve(isReached)
        },
      }
      this.#waiting.add(waiter)
    })
  }

  /** Called after entries were applied. */
  applied(): void {
    for (const waiter of this.#waiting) if (waiter.isReached()) waiter.resolve(true)
  }

  close(): void {
    this.#end.abort()
    clearTimeout(this.#timer)
    for (const { resolve } of this.#waiting) resolve(false)
  }

  /** The error for a reader that has seen more than this hub has. */
  behind(): ClaudeNetError {
    return new ClaudeNetError(
      'unavailable',
      'This hub is behind: it has not applied yet what you have seen at another hub.',
      'Use another hub, or try again in a moment.',
      askMs,
    )
  }

  #cutOff(): ClaudeNetError {
    return new ClaudeNetError(
      'unavailable',
      `This hub is cut off: it has not reached the log that it shares with other hubs for ${Math.floor(this.ageMs / 1000)} s.`,
      'Use another hub. This one continues by itself once it reaches the log again.',
      askMs,
    )
  }

  #askIn(ms: number): void {
    if (this.#end.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#asking ??= this.#ask()
    }, ms).unref()
  }

  async #ask(): Promise<void> {
    const askedAt = this.#monotonic()
    let isAnswered = false
    // A response may take seconds when no node can be reached.
    const look = setInterval(() => this.#look(), askMs).unref()
    try {
      const offset = await this.#options.last()
      if (this.#pending.length < maxPending) this.#pending.push({ offset, askedAt })
      isAnswered = true
    } catch {
      // The age grows.
    } finally {
      clearInterval(look)
    }
    this.#asking = undefined
    this.#look()
    this.#askIn(isAnswered ? askMs : retryMs)
  }

  #look(): void {
    const { isCutOff } = this
    if (isCutOff && !this.#isLost) for (const listener of this.#lost) listener()
    this.#isLost = isCutOff
  }
}
