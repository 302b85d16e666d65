/** Length of a window, in ms. */
const windowMs = 60_000

/** Most refusals written in a window for one token or address, and for all together. */
export const maxPerSource = 60
const maxTogether = 600

/**
 * Admits the first refusals of every minute and counts the rest, so that a flood cannot fill the disk. Keeps one number per source of the
 * current window, for at most as many sources as it admits refusals.
 */
export class FloodGate {
  readonly #bySource = new Map<string, number>()
  #startedAt = -Infinity
  #entered = 0
  #skipped = 0

  get hasSkipped(): boolean {
    return this.#skipped > 0
  }

  /** Returns whether a refusal of `source` is to be written. `now` is in ms by a clock that never steps. */
  enter(source: string, now: number): boolean {
    if (now - this.#startedAt >= windowMs) {
      this.#startedAt = now
      this.#entered = 0
      this.#bySource.clear()
    }
    const count = this.#bySource.get(source) ?? 0
    if (count >= maxPerSource || this.#entered >= maxTogether) {
      this.#skipped++
      return false
    }
    this.#bySource.set(source, count + 1)
    this.#entered++
    return true
  }

  /** Returns the number of refusals not admitted, and resets it, if their window is over or with `atOnce`; otherwise 0. */
  takeSkipped(now: number, atOnce: boolean): number {
    if (!atOnce && now - this.#startedAt < windowMs) return 0
    const skipped = this.#skipped
    this.#skipped = 0
    return skipped
  }
}
