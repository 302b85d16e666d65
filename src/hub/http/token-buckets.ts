/** Rate of a limit: `burst` at once, and `perMinute` on average. */
export interface Rate {
  perMinute: number
  burst: number
}

export interface TokenBucketsOptions {
  /** A clock that never steps, in ms. */
  now?: () => number
  /** Most keys kept. The least recently used is evicted first, as if its bucket were full. */
  maxKept?: number
}

/**
 * One token bucket for every key, in memory. A bucket is stored as a single number: the time at which it will be full again, in ms of
 * the clock. Taking a token moves that time by one interval; a bucket that would need more than `burst` intervals is empty.
 */
export class TokenBuckets {
  readonly #intervalMs: number
  readonly #toleranceMs: number
  readonly #now: () => number
  readonly #maxKept: number
  /** Least recently used first. */
  readonly #fullAt = new Map<string, number>()
  /** Called after each successful `take`. */
  onTake: ((key: string, tokens: number) => void) | undefined

  constructor({ perMinute, burst }: Rate, options: TokenBucketsOptions = {}) {
    this.#intervalMs = 60_000 / perMinute
    this.#toleranceMs = this.#intervalMs * (burst - 1)
    this.#now = options.now ?? (() => performance.now())
    this.#maxKept = options.maxKept ?? 10_000
  }

  get size(): number {
    return this.#fullAt.size
  }

  /** Returns the time until `key` has `tokens` tokens (`burst` at most), in ms; 0 if it has them. Takes none. */
  waitMs(key: string, tokens = 1): number {
    const now = this.#now()
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now)
    return Math.max(0, Math.ceil(fullAt - now + (tokens - 1) * this.#intervalMs - this.#toleranceMs))
  }

  /** Takes tokens of `key`, `burst` at most. Returns 0, or, if there are too few, the time until there are enough, in ms. */
  take(key: string, tokens = 1): number {
    const waitMs = this.waitMs(key, tokens)
    if (waitMs > 0) return waitMs
    this.#set(key, Math.max(this.#fullAt.get(key) ?? 0, this.#now()) + tokens * this.#intervalMs)
    this.onTake?.(key, tokens)
    return 0
  }

  /** Takes tokens that another hub has given out; leaves the bucket empty if there are fewer. */
  charge(key: string, tokens: number): void {
    const now = this.#now()
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now) + tokens * this.#intervalMs
    this.#set(key, Math.min(fullAt, now + this.#toleranceMs + this.#intervalMs))
  }

  #set(key: string, fullAt: number): void {
    this.#fullAt.delete(key)
    this.#fullAt.set(key, fullAt)
    if (this.#fullAt.size > this.#maxKept) this.#fullAt.delete(this.#fullAt.keys().next().value!)
  }

  /** Returns the used part of each bucket, from 0 to 1, of those that used at least `least`; the most used first. */
  mostUsed(least: number): { key: string; used: number }[] {
    const [now, whole] = [this.#now(), this.#toleranceMs + this.#intervalMs]
    return [...this.#fullAt]
      .map(([key, fullAt]) => ({ key, used: (fullAt - now) / whole }))
      .filter(({ used }) => used >= least)
      .sort((a, b) => b.used - a.used)
  }
}
