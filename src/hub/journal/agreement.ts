import type { Command } from '../state/commands.ts'

/** Time a hub waits for the votes of the others before it decides by what it has read, in ms. */
const patienceMs = 3000

/**
 * `agrees`: no other hub is known to have come to other outcomes. `open`: one has, and it is not known yet which side the others agree
 * with. `majority`: more hubs agree with this one than with any other. `tied`: as many agree with another. `apart`: more agree with
 * another.
 */
export type Verdict = 'agrees' | 'open' | 'majority' | 'tied' | 'apart'

/** The position of another hub according to its newest record: whether it agrees with this one, and which hubs it differs from. */
interface View {
  agrees: boolean
  differs: readonly string[]
}

/** The content of a `hub.vote`. */
export interface Vote {
  differs: readonly string[]
  /** Asks the other hubs for their votes. */
  asks?: boolean
}

export interface AgreementOptions {
  /** Name of this hub. */
  name: string
  /** Returns the names of the hubs that have announced themselves, in any order. */
  hubs: () => readonly string[]
  /** Writes this hub's vote to the log. */
  vote: (vote: Vote) => void
  /** Called each time the verdict has changed. */
  onVerdict: () => void
}

/**
 * Tracks which hubs of a log have come to the same outcomes as this one, by the marks that all of them write into their records. What a hub
 * has reported since it differs counts until a later record of its agrees. Nothing is stored while all agree.
 */
export class Agreement {
  readonly #options: AgreementOptions
  readonly #views = new Map<string, View>()
  #verdict: Verdict = 'agrees'
  #isReading = true
  #isDue = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: AgreementOptions) {
    this.#options = options
  }

  get verdict(): Verdict {
    return this.#verdict
  }

  /** The hubs with outcomes that differ from this one's, by name. */
  get differing(): string[] {
    return [...this.#views].flatMap(([name, { agrees }]) => (agrees ? [] : [name])).sort()
  }

  /** Takes note of a record of `by`; `vote` is its vote, if it has one. */
  saw(by: string, agrees: boolean, vote?: Vote): void {
    if (by === this.#options.name) return
    const known = this.#views.get(by)
    const isNews = !agrees && known?.agrees !== false
    if (!agrees || this.#views.size > 0) this.#views.set(by, { agrees, differs: vote?.differs ?? known?.differs ?? [] })
    if (isNews) this.#begin()
    if (isNews || vote?.asks) this.#say(isNews)
    if (this.#views.size > 0) this.#judge()
  }

  /** Stops counting a hub that was removed. */
  forgot(name: string): void {
    if (this.#views.delete(name)) this.#judge()
  }

  /** To be called once all of the log is read: from then on this hub decides, and votes. */
  caughtUp(): void {
    this.#isReading = false
    if (this.differing.length === 0) return
    this.#begin()
    this.#judge()
    if (this.#verdict === 'open') this.#say(true)
    this.#options.onVerdict()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #begin(): void {
    if (this.#isReading) return
    this.#isDue = false
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#isDue = true
      this.#judge()
    }, patienceMs).unref()
  }

  #say(asks: boolean): void {
    if (!this.#isReading) this.#options.vote({ differs: this.differing, ...(asks && { asks }) })
  }

  #judge(): void {
    const before = this.#verdict
    if (this.differing.length === 0) {
      this.#views.clear()
      clearTimeout(this.#timer)
    }
    this.#verdict = this.#decide()
    if (this.#verdict !== before && !this.#isReading) this.#options.onVerdict()
  }

  #decide(): Verdict {
    const { differing } = this
    if (differing.length === 0) return 'agrees'
    const all = new Set([this.#options.name, ...this.#options.hubs(), ...this.#views.keys()])
    const own = 1 + [...this.#views.values()].filter(({ agrees }) => agrees).length
    const other = Math.max(...differing.map(name => differing.filter(each => !this.#differ(name, each)).length))
    if (2 * own > all.size) return 'majority'
    if (2 * other > all.size) return 'apart'
    if (!this.#isDue && all.size > 1 + this.#views.size) return 'open'
    return own > other ? 'majority' : own === other ? 'tied' : 'apart'
  }

  /** Reports whether one of two hubs that differ from this one differs from the other, too, by its own vote. */
  #differ(one: string, other: string): boolean {
    return this.#views.get(one)!.differs.includes(other) || this.#views.get(other)!.differs.includes(one)
  }
}

/** Reports whether a command is written even while the hubs disagree: by these commands they find out which of them is wrong. */
export function isUrgent({ type }: Command): boolean {
  return type === 'hub.vote' || type === 'hub.forget'
}
