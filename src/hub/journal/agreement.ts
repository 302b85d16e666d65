/** How long a hub waits for the others to say where they stand, in ms, before it decides by what it knows. */
const patienceMs = 3000

/**
 * `agrees`: no other hub is known to have come to other outcomes. `open`: one has, and it is not known yet with whom the others are.
 * `majority`: more hubs agree with this one than with any other. `tied`: as many agree with another. `apart`: more do.
 */
export type Verdict = 'agrees' | 'open' | 'majority' | 'tied' | 'apart'

/** What another hub has said by its newest record: whether it agrees with this one, and from whom it differs itself. */
interface View {
  agrees: boolean
  differs: readonly string[]
}

/** What a hub has said in `hub.vote`. */
export interface Vote {
  differs: readonly string[]
  /** The others are to say where they stand, too. */
  asks?: boolean
}

export interface AgreementOptions {
  /** What this hub is called. */
  name: string
  /** The names of the hubs that have announced themselves, in any order. */
  hubs: () => readonly string[]
  /** Has the other hubs read in the log where this one stands. */
  vote: (vote: Vote) => void
  /** Called each time that the verdict has changed. */
  onVerdict: () => void
}

/**
 * Which hubs of a log have come to the same outcomes as this one, by the marks that all write into their records. What a hub has said once
 * it differs counts until a later record of its agrees. Nothing is kept while all agree.
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

  /** The hubs that have come to other outcomes, by name. */
  get differing(): string[] {
    return [...this.#views].flatMap(([name, { agrees }]) => (agrees ? [] : [name])).sort()
  }

  /** A record of `by` was read; `vote` is what it says of this, if it does. */
  saw(by: string, agrees: boolean, vote?: Vote): void {
    if (by === this.#options.name) return
    const known = this.#views.get(by)
    const isNews = !agrees && known?.agrees !== false
    if (!agrees || this.#views.size > 0) this.#views.set(by, { agrees, differs: vote?.differs ?? known?.differs ?? [] })
    if (isNews) this.#begin()
    if (isNews || vote?.asks) this.#say(isNews)
    if (this.#views.size > 0) this.#judge()
  }

  /** A hub that does not come back counts no more. */
  forgot(name: string): void {
    if (this.#views.delete(name)) this.#judge()
  }

  /** All that the log had was read: from here on this hub decides, and says where it stands. */
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

  /** Whether one of two hubs that differ from this one has said that it differs from the other, too. */
  #differ(one: string, other: string): boolean {
    return this.#views.get(one)!.differs.includes(other) || this.#views.get(other)!.differs.includes(one)
  }
}
