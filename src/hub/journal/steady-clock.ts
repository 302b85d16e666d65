/** A pause of the hub up to this long counts as time that passed, in ms; a longer one may be a clock that was wrong. */
const maxPauseMs = 7 * 24 * 3600 * 1000

/** A wall clock that moved against the monotonic one by less than this was corrected, not set, in ms. */
const toleranceMs = 60_000

export interface SteadyClockOptions {
  /** Where the history ended, if it has begun: the last entry by both clocks, in ms since 1970. */
  last: { seq: number; time: number; steady: number }
  /** Wall clock, ms since 1970. */
  now: () => number
  /** A clock that never steps, in ms from any origin. */
  monotonic: () => number
}

/**
 * The hub's two clocks. The wall clock is what is shown, and may be wrong; the steady one goes on from the history's end with the
 * time that this process sees pass, so that a clock that was set neither ages nor renews anything. While the hub is not running,
 * the wall clock is believed for as long as a week.
 */
export class SteadyClock {
  readonly #now: () => number
  readonly #monotonic: () => number
  readonly #origin: number
  /** The wall clock's lead over the monotonic one at the last look for steps. */
  #lead: number
  /** How far the wall clock was from where the history ended when the hub started, in ms, if that is not believable. */
  readonly #wrongAtStart: number | undefined

  constructor({ last, now, monotonic }: SteadyClockOptions) {
    this.#now = now
    this.#monotonic = monotonic
    const wall = now()
    this.#lead = wall - monotonic()
    if (last.seq === 0) {
      this.#origin = this.#lead
      return
    }
    const pauseMs = wall - last.time
    const isBelievable = pauseMs >= 0 && pauseMs <= maxPauseMs
    if (pauseMs < -toleranceMs || pauseMs > maxPauseMs) this.#wrongAtStart = pauseMs
    this.#origin = last.steady + (isBelievable ? pauseMs : 0) - monotonic()
  }

  /** Both clocks now, in whole ms since 1970. */
  read(): { time: number; steady: number } {
    return { time: this.#now(), steady: Math.floor(this.#origin + this.#monotonic()) }
  }

  /** How far the wall clock was set since the last look, in ms; undefined when it was not. The first look judges the start. */
  takeStep(): number | undefined {
    const lead = this.#now() - this.#monotonic()
    const step = lead - this.#lead
    this.#lead = lead
    return Math.abs(step) > toleranceMs ? Math.round(step) : undefined
  }

  /** What is odd about the clock at this start: ms ahead (or, negative, behind) of the history's last entry. */
  get wrongAtStart(): number | undefined {
    return this.#wrongAtStart
  }
}
