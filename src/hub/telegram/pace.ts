/**
 * How many messages a chat takes in a span of time, counted over a window that slides: no span of that length ever has more.
 * Times are in ms by a clock that never steps.
 */
export class Pace {
  readonly #most: number
  readonly #windowMs: number
  #times: number[]

  /** `earlier` are the times of messages that went before. */
  constructor(most: number, windowMs: number, earlier: number[] = []) {
    this.#most = most
    this.#windowMs = windowMs
    this.#times = earlier
  }

  /** How long the next message has to wait; `extra` messages are let in beyond the most. */
  waitMs(now: number, extra = 0): number {
    this.#times = this.#times.filter(time => now - time < this.#windowMs)
    const before = this.#times.at(-(this.#most + extra))
    return before === undefined ? 0 : before + this.#windowMs - now
  }

  /** A message goes out now, whether or not it will be heard that it arrived. */
  count(now: number): void {
    this.#times.push(now)
  }
}
