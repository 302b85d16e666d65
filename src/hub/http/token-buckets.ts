/** How often something may happen: `burst` at once, and `perMinute` on average. */
export interface Rate {
  perMinute: number
  burst: number
}

export interface TokenBucketsOptions {
  /** A clock that never steps, in ms. */
  now?: () => number
  /** Most keys remembered. The one that was longest idle is forgotten first, as if its bucket were full. */
  maxKept?: number
}

/**
 * One bucket of tokens for every key, in memory. A bucket is kept as a single number: when it will be full again, in ms of the
 * clock. Taking a token moves that by one interval; a bucket that would need more than `burst` intervals is empty.
 */
export class TokenBuckets {
  readonly #intervalMs: number
  readonly #toleranceMs: number
  readonly #now: () => number
  readonly #maxKept: number
  /** By last use, the longest idle first. */
  readonly #fullAt = new Map<string, number>()

  constructor({ perMinute, burst }: Rate, options: TokenBucketsOptions = {}) {
    this.#intervalMs = 60_000 / perMinute
    this.#toleranceMs = this.#intervalMs * (burst - 1)
    this.#now = options.now ?? (() => performance.now())
    this.#maxKept = options.maxKept ?? 10_000
  }

  get size(): number {
    return this.#fullAt.size
  }

  /** How long until `key` has a token, in ms; 0 when it has one. Takes none. */
  waitMs(key: string): number {
    return Math.max(0, Math.ceil((this.#fullAt.get(key) ?? 0) - this.#now() - this.#toleranceMs))
  }

  /** Takes a token of `key`. Answers 0, or, when there is none, how long until there is one, in ms. */
  take(key: string): number {
    const now = this.#now()
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now)
    const waitMs = Math.ceil(fullAt - now - this.#toleranceMs)
    if (waitMs > 0) return waitMs
    this.#fullAt.delete(key)
    this.#fullAt.set(key, fullAt + this.#intervalMs)
    if (this.#fullAt.size > this.#maxKept) this.#fullAt.delete(this.#fullAt.keys().next().value!)
    return 0
  }
}
