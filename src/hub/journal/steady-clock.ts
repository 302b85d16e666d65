/** Longest time the hub may have been stopped for the wall clock to be trusted about it, in ms; a longer one may be a wrong clock. */
const maxPauseMs = 7 * 24 * 3600 * 1000

/** A change of the wall clock against the monotonic one by less than this counts as a correction, not as a step, in ms. */
const toleranceMs = 60_000

/** Time that a joining hub waits for an entry of a hub with a settled clock before it trusts its own wall clock about a pause, in ms. */
const settleMs = 10_000

export interface SteadyClockOptions {
  /** The last entry of the history by both clocks, in ms since 1970; `seq` is 0 when there is none. */
  last: { seq: number; time: number; steady: number }
  /** Wall clock, in ms since 1970. */
  now: () => number
  /** A clock that never steps, in ms from any origin. */
  monotonic: () => number
  /** Of several hubs over one log: reports whether the history uses this hub's wall clock. The other hubs use the entries' times. */
  leads?: () => boolean
}

/** The date of an entry by both clocks, in whole ms since 1970. */
export interface Reading {
  time: number
  steady: number
  /** The hub has just joined, and has not determined yet how much time has passed since the entry before it. */
  unsure?: true
}

/** The state of a clock whose history is shared. */
interface Shared {
  /** Lead of the history's wall clock over its steady time, in ms. */
  lead: number
  /** Time between the end of the history and the joining of this hub, by its own wall clock, and when that counts unless another hub writes. */
  pause: { ms: number; until: number } | undefined
  /** The history had no entry: its first one sets the start of the steady time. */
  isNew: boolean
}

/**
 * The hub's two clocks. The wall clock is shown to people, and may be wrong. The steady clock continues from the end of the history by the
 * monotonic clock of this process, so that a wall clock that is set neither ages nor renews anything. For the time that the hub was not
 * running, up to a week, the wall clock is trusted.
 *
 * Hubs that share a history share both: the steady time is never behind an applied entry, whichever hub wrote it, and the wall clock of one
 * hub counts for all. A joining hub trusts its own about a pause only if no hub with a settled clock writes meanwhile.
 */
export class SteadyClock {
  readonly #now: () => number
  readonly #monotonic: () => number
  readonly #leads: () => boolean
  #origin: number
  /** Lead of the wall clock over the monotonic one at the last check for steps, in ms. */
  #lead: number
  /** Distance of the wall clock from the end of the history at the start of the hub, in ms, if it is implausible. */
  #wrongAtStart: number | undefined
  #shared: Shared | undefined

  constructor({ last, now, monotonic, leads = () => true }: SteadyClockOptions) {
    this.#leads = leads
    this.#now = now
    this.#monotonic = monotonic
    const wall = now()
    this.#lead = wall - monotonic()
    if (last.seq === 0) {
      this.#origin = this.#lead
      return
    }
    const pauseMs = this.#pauseSince(last.time, wall)
    this.#origin = last.steady + (pauseMs ?? 0) - monotonic()
  }

  /** Both clocks now, in whole ms since 1970. */
  read(): Reading {
    const { steady } = this
    const shared = this.#shared
    if (shared?.pause) return { time: this.#now(), steady, unsure: true }
    return { time: shared && !this.#leads() ? steady + shared.lead : this.#now(), steady }
  }

  /** The steady time now, in whole ms since 1970. */
  get steady(): number {
    const monotonic = this.#monotonic()
    const { pause } = this.#shared ?? {}
    if (pause && monotonic >= pause.until) {
      this.#origin += pause.ms
      this.#shared = { lead: this.#now() - Math.floor(this.#origin + monotonic), pause: undefined, isNew: false }
    }
    return Math.floor(this.#origin + monotonic)
  }

  /** To be called once when the hub has caught up with a log of several hubs, before the first `applied`; `last` is the newest entry. */
  joined(last: SteadyClockOptions['last']): void {
    if (last.seq === 0) {
      this.#shared = { lead: 0, pause: undefined, isNew: true }
      return
    }
    const ms = this.#pauseSince(last.time, this.#now())
    const monotonic = this.#monotonic()
    this.#origin = last.steady - monotonic
    const pause = ms === undefined ? undefined : { ms, until: monotonic + settleMs }
    this.#shared = { lead: last.time - last.steady, pause, isNew: false }
  }

  /** Takes over the times of a pack of the shared log that was applied. Does nothing before `joined`. */
  applied({ time, steady, unsure }: Reading): void {
    if (!this.#shared) return
    const origin = steady - this.#monotonic()
    this.#origin = this.#shared.isNew ? origin : Math.max(this.#origin, origin)
    if (!unsure) this.#shared = { lead: time - steady, pause: undefined, isNew: false }
  }

  /**
   * Returns the step of the wall clock since the last call, in ms; undefined when there was none. The first call covers the time since the
   * start.
   */
  takeStep(): number | undefined {
    const lead = this.#now() - this.#monotonic()
    const step = lead - this.#lead
    this.#lead = lead
    return Math.abs(step) > toleranceMs ? Math.round(step) : undefined
  }

  /** Returns the time from `time` to `wall`, in ms; undefined when that is implausible, which `wrongAtStart` then keeps. */
  #pauseSince(time: number, wall: number): number | undefined {
    const ms = wall - time
    this.#wrongAtStart = ms < -toleranceMs || ms > maxPauseMs ? ms : undefined
    return ms >= 0 && ms <= maxPauseMs ? ms : undefined
  }

  /** Lead of the wall clock over the history's last entry at this start (negative when behind), in ms; undefined when it was plausible. */
  get wrongAtStart(): number | undefined {
    return this.#wrongAtStart
  }
}
