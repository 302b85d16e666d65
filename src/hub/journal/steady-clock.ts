/** A pause of the hub up to this long counts as time that passed, in ms; a longer one may be a clock that was wrong. */
const maxPauseMs = 7 * 24 * 3600 * 1000

/** A wall clock that moved against the monotonic one by less than this was corrected, not set, in ms. */
const toleranceMs = 60_000

/** How long a hub that joins others waits for one that knows the time before it believes its own wall clock about a pause, in ms. */
const settleMs = 10_000

export interface SteadyClockOptions {
  /** Where the history ended, if it has begun: the last entry by both clocks, in ms since 1970. */
  last: { seq: number; time: number; steady: number }
  /** Wall clock, ms since 1970. */
  now: () => number
  /** A clock that never steps, in ms from any origin. */
  monotonic: () => number
  /** Of several hubs over one log: whether the wall clock of this one is that of the history. The others go by the entries. */
  leads?: () => boolean
}

/** What an entry is dated with, both in whole ms since 1970. */
export interface Reading {
  time: number
  steady: number
  /** The hub has just joined, and does not know yet how much time has passed since the entry before it. */
  unsure?: true
}

/** What a clock goes by where the history is shared. */
interface Shared {
  /** How far the wall clock of the history is ahead of its steady time, in ms. */
  lead: number
  /** How long ago the history ended when this hub joined, by its own wall clock, and until when another hub may know better. */
  pause: { ms: number; until: number } | undefined
  /** The history had not begun: its first entry says where the steady time starts. */
  isNew: boolean
}

/**
 * The hub's two clocks. The wall clock is what is shown, and may be wrong; the steady one goes on from the history's end with the
 * time that this process sees pass, so that a clock that was set neither ages nor renews anything. While the hub is not running,
 * the wall clock is believed for as long as a week.
 *
 * Hubs that share a history share both: the steady time is never behind an entry that was applied, whoever wrote it, and of several wall
 * clocks that of one hub counts. A hub that joins believes its own about a pause only where no hub that knows the time writes meanwhile.
 */
export class SteadyClock {
  readonly #now: () => number
  readonly #monotonic: () => number
  readonly #leads: () => boolean
  #origin: number
  /** The wall clock's lead over the monotonic one at the last look for steps. */
  #lead: number
  /** How far the wall clock was from where the history ended when the hub started, in ms, if that is not believable. */
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

  /** The hub has caught up with a log of several hubs; `last` is the newest entry of all. To be called once, before the first `applied`. */
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

  /** A pack of the shared log was applied, and had these times. Before `joined` nothing follows from it. */
  applied({ time, steady, unsure }: Reading): void {
    if (!this.#shared) return
    const origin = steady - this.#monotonic()
    this.#origin = this.#shared.isNew ? origin : Math.max(this.#origin, origin)
    if (!unsure) this.#shared = { lead: time - steady, pause: undefined, isNew: false }
  }

  /** How far the wall clock was set since the last look, in ms; undefined when it was not. The first look judges the start. */
  takeStep(): number | undefined {
    const lead = this.#now() - this.#monotonic()
    const step = lead - this.#lead
    this.#lead = lead
    return Math.abs(step) > toleranceMs ? Math.round(step) : undefined
  }

  /** How long ago `time` is by a wall clock that says `wall`; undefined, and noted where it is odd, where that is not believable. */
  #pauseSince(time: number, wall: number): number | undefined {
    const ms = wall - time
    this.#wrongAtStart = ms < -toleranceMs || ms > maxPauseMs ? ms : undefined
    return ms >= 0 && ms <= maxPauseMs ? ms : undefined
  }

  /** What is odd about the clock at this start: ms ahead (or, negative, behind) of the history's last entry. */
  get wrongAtStart(): number | undefined {
    return this.#wrongAtStart
  }
}
