import { setTimeout as delay } from 'node:timers/promises'

/** Longest pause after a pack, in ms; it is as long as the append took. */
const maxPauseMs = 50

/** Packs written in a row before a pause, since a hub cannot tell whether another one waits. */
const maxInARow = 4

/** Spaces the packs of one hub so that each of the hubs that share a log can append soon. */
export class Turns {
  /** Whether another hub has written since the last pause. */
  #isContended = false
  /** Packs that this hub has written since the last pause. */
  #inARow = 0
  readonly #isShared: () => boolean

  /** `isShared` reports whether other hubs may write to the log. */
  constructor(isShared: () => boolean) {
    this.#isShared = isShared
  }

  othersWrote(): void {
    this.#isContended = true
  }

  /** Called after this hub has written a pack, which took `ms`. Pauses if other hubs write, or may be waiting to. */
  async yieldAfter(ms: number): Promise<void> {
    this.#inARow++
    const isDue = this.#inARow >= maxInARow && this.#isShared()
    if (!this.#isContended && !isDue) return
    this.#isContended = false
    this.#inARow = 0
    await delay(Math.min(ms, maxPauseMs))
  }
}
