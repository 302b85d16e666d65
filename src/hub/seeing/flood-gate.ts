/** How long a window is, in ms. */
const windowMs = 60_000

/** Most refusals in a window that are written for one token or address, and for all together. */
export const maxPerSource = 60
const maxTogether = 600

/**
 * Lets the first refusals of every minute through and counts the rest, so that a flood cannot fill the disk. Keeps a number
 * for each source of the current window, and no more sources than it lets refusals through.
 */
export class FloodGate {
  readonly #bySource = new Map<string, number>()
  #startedAt = -Infinity
  #entered = 0
  #skipped = 0

  get hasSkipped(): boolean {
    return this.#skipped > 0
  }

  /** Whether a refusal of `source` is to be written. `now` in ms by a clock that never steps. */
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

  /** How many were not let through, once their window is over or `atOnce`; from then on counted anew. */
  takeSkipped(now: number, atOnce: boolean): number {
    if (!atOnce && now - this.#startedAt < windowMs) return 0
    const skipped = this.#skipped
    this.#skipped = 0
    return skipped
  }
}
