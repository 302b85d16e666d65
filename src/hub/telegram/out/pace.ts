/**
 * How many messages a chat takes in a span of time, counted over a window that slides: no span of that length ever has more.
 * Times are in ms by a clock that never steps.
 */
export class Pace {
  readonly #windowMs: number
  #times: number[]

  /** `earlier` are the times of messages that went before. */
  constructor(windowMs: number, earlier: number[] = []) {
    this.#windowMs = windowMs
    this.#times = earlier
  }

  /** How long a message has to wait that may be one of `most` in a window. */
  waitMs(now: number, most: number): number {
    this.#times = this.#times.filter(time => now - time < this.#windowMs)
    const before = this.#times.at(-most)
    return before === undefined ? 0 : before + this.#windowMs - now
  }

  /** A message goes out now, whether or not it will be heard that it arrived. */
  count(now: number): void {
    this.#times.push(now)
  }
}
