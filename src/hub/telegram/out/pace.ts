/** Rate limit over a sliding window: no span of that length has more messages than allowed. Times are in ms, by a monotonic clock. */
export class Pace {
  readonly #windowMs: number
  #times: number[]

  /** `earlier` has the times of messages sent before. */
  constructor(windowMs: number, earlier: number[] = []) {
    this.#windowMs = windowMs
    this.#times = earlier
  }

  /** Returns the time until another message may be sent with at most `most` per window, in ms. */
  waitMs(now: number, most: number): number {
    this.#times = this.#times.filter(time => now - time < this.#windowMs)
    const before = this.#times.at(-most)
    return before === undefined ? 0 : before + this.#windowMs - now
  }

  /** Counts a message sent now, whether or not its arrival is confirmed. */
  count(now: number): void {
    this.#times.push(now)
  }
}
