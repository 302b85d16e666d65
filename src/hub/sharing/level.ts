import { ClaudeNetError } from '../../protocol/errors.ts'

/** How often the log is asked how far it goes, in ms, and how soon again when it did not answer. */
const askMs = 1000
const retryMs = 250

/** A hub that knows of all that was in the log so lately, in ms, counts as level with it. */
const levelMs = 2000

/** A hub that has not been level for so long, in ms, takes no commands: by then the journal would have given them up. */
const writableMs = 5000

/** How long a reader waits for what it knows of, in ms. */
const patienceMs = 2000

/** The least time between two times that the log is asked on behalf of requests, in ms: any stranger can have it asked. */
const catchUpMs = 50

/** Most answers of the log that wait for this hub to get so far. */
const maxPending = 64

export interface LevelOptions {
  /** See `Log.last`: it tells of every record that was durable when it is called. */
  last: () => Promise<number>
  /** How far this hub has applied the log. */
  position: () => { offset: number; seq: number }
  /** How long reads are answered by a hub that is cut off from the log, in s: 10 where it is not said. */
  staleReadsS?: number
  /** A clock that never steps, in ms. */
  monotonic?: () => number
}

/**
 * How far this hub may be behind the log that it shares: asks the log once a second for its end, and knows when it has applied all up to
 * there. A hub that is cut off from the log does not know what others have written, such as that a token was revoked: after a while it
 * answers nothing more, until it is level again.
 */
export class Level {
  readonly #options: LevelOptions
  readonly #monotonic: () => number
  readonly #end = new AbortController()
  readonly #lost = new Set<() => void>()
  readonly #waiting = new Set<{ isThere: () => boolean; resolve: (isThere: boolean) => void }>()
  /** Ends of the log that this hub has not come to yet, with the time before which each was asked for. */
  #pending: { offset: number; askedAt: number }[] = []
  #levelAt: number
  #isLost = false
  #asking: Promise<void> | undefined
  /** The last question on behalf of requests, when it began, and the one that is to come. */
  #last: Promise<unknown> = Promise.resolve()
  #lastAt = -Infinity
  #next: Promise<number> | undefined
  #timer: NodeJS.Timeout | undefined

  /** Of a hub that is level now. */
  constructor(options: LevelOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#levelAt = this.#monotonic()
    this.#askIn(askMs)
  }

  /** How long ago this hub had applied all that was in the log, in ms, at most. */
  get ageMs(): number {
    const { offset } = this.#options.position()
    const reached = this.#pending.findLastIndex(each => each.offset <= offset)
    if (reached >= 0) {
      this.#levelAt = Math.max(this.#levelAt, this.#pending[reached]!.askedAt)
      this.#pending.splice(0, reached + 1)
    }
    return this.#monotonic() - this.#levelAt
  }

  /** How old what is read here may be, in whole s; undefined where this hub is level with the log. */
  get staleS(): number | undefined {
    const { ageMs } = this
    return ageMs > levelMs ? Math.floor(ageMs / 1000) : undefined
  }

  /** Whether reads are refused, since this hub has been cut off for too long. */
  get isCutOff(): boolean {
    return this.ageMs > Math.max(levelMs, (this.#options.staleReadsS ?? 10) * 1000)
  }

  /** Throws `unavailable` where nobody can know whether what is read here is still true. */
  expectReadable(): void {
    if (this.isCutOff) throw this.#cutOff()
  }

  /** Throws `unavailable` where the log has not answered for so long that it would not take a command. */
  expectWritable(): void {
    if (this.ageMs > writableMs) throw this.#cutOff()
  }

  /** Calls `listener` each time that this hub is found to be cut off. Returns a function that ends this. */
  onCutOff(listener: () => void): () => void {
    this.#lost.add(listener)
    return () => this.#lost.delete(listener)
  }

  /** Resolves once the entry `seq` is applied here: to false where it is not within 2 s. */
  reach(seq: number): Promise<boolean> {
    return this.#until(() => this.#options.position().seq >= seq)
  }

  /** Resolves once all that was in the log when this was called is applied here: to false where it is not within 2 s. */
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

  /** The end of the log, asked for from now on: after the question before was answered, once for all who call meanwhile. */
  async #askForRequests(): Promise<number> {
    await this.#last
    await new Promise(resolve => setTimeout(resolve, this.#lastAt + catchUpMs - this.#monotonic()).unref())
    this.#next = undefined
    this.#lastAt = this.#monotonic()
    const asked = this.#options.last()
    this.#last = asked.catch(() => {})
    return asked
  }

  #until(isThere: () => boolean): Promise<boolean> {
    if (isThere()) return Promise.resolve(true)
    if (this.#end.signal.aborted) return Promise.resolve(false)
    return new Promise(resolve => {
      const timer = setTimeout(() => waiter.resolve(false), patienceMs).unref()
      const waiter = {
        isThere,
        resolve: (isThere: boolean) => {
          clearTimeout(timer)
          this.#waiting.delete(waiter)
          resolve(isThere)
        },
      }
      this.#waiting.add(waiter)
    })
  }

  /** Something was applied. */
  applied(): void {
    for (const waiter of this.#waiting) if (waiter.isThere()) waiter.resolve(true)
  }

  close(): void {
    this.#end.abort()
    clearTimeout(this.#timer)
    for (const { resolve } of this.#waiting) resolve(false)
  }

  /** What a reader is told that has seen more than this hub has. */
  behind(): ClaudeNetError {
    return new ClaudeNetError(
      'unavailable',
      'This hub is behind: it has not got what you have seen at another hub.',
      'Ask another hub, or try again in a moment.',
      askMs,
    )
  }

  #cutOff(): ClaudeNetError {
    return new ClaudeNetError(
      'unavailable',
      `This hub is cut off: it has not reached the log that it shares with other hubs for ${Math.floor(this.ageMs / 1000)} s.`,
      'Ask another hub. This one goes on by itself once it reaches the log again.',
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
    // An answer may take seconds when no node can be reached.
    const look = setInterval(() => this.#look(), askMs).unref()
    try {
      const offset = await this.#options.last()
      if (this.#pending.length < maxPending) this.#pending.push({ offset, askedAt })
      isAnswered = true
    } catch {
      // It shows by the age.
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
