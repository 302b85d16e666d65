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
  /** Called with what `take` has given. */
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

  /** How long until `key` has so many tokens (`burst` at most), in ms; 0 when it has them. Takes none. */
  waitMs(key: string, tokens = 1): number {
    const now = this.#now()
    const fullAt = Math.max(this.#fullAt.get(key) ?? 0, now)
    return Math.max(0, Math.ceil(fullAt - now + (tokens - 1) * this.#intervalMs - this.#toleranceMs))
  }

  /** Takes tokens of `key`, `burst` at most. Returns 0, or, when there are too few, how long until there are enough, in ms. */
  take(key: string, tokens = 1): number {
    const waitMs = this.waitMs(key, tokens)
    if (waitMs > 0) return waitMs
    this.#set(key, Math.max(this.#fullAt.get(key) ?? 0, this.#now()) + tokens * this.#intervalMs)
    this.onTake?.(key, tokens)
    return 0
  }

  /** Takes tokens that were given elsewhere, as far as there are any: an empty bucket is all that comes of too many. */
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

  /** How much of its bucket each key has used, from 0 to 1, of those that used at least `least`; the fullest first. */
  mostUsed(least: number): { key: string; used: number }[] {
    const [now, whole] = [this.#now(), this.#toleranceMs + this.#intervalMs]
    return [...this.#fullAt]
      .map(([key, fullAt]) => ({ key, used: (fullAt - now) / whole }))
      .filter(({ used }) => used >= least)
      .sort((a, b) => b.used - a.used)
  }
}
