/** Most items that are kept for one follower: one that is so far behind reads again from its cursor. */
const maxKept = 100

/**
 * Wakes whoever follows a member. A wake may carry the news itself, so that a follower at the end of the history need not read it
 * from the store; after a wake without it the woken re-reads from its own cursor.
 */
export class Wakes<News = never> {
  readonly #ears = new Map<number, Set<Ear<News>>>()

  /** Wakes all who follow any of `members`. `newsOf` is called only for a member who is followed; undefined has it read again. */
  wake(members: Iterable<number>, newsOf?: (member: number) => News | undefined): void {
    for (const member of members) {
      const ears = this.#ears.get(member)
      if (!ears) continue
      const news = newsOf?.(member)
      for (const ear of ears) ear.hear(news)
    }
  }

  /** Collects the news of `member` from now on, until `close`. */
  listen(member: number, signal: AbortSignal): Ear<News> {
    const ears = this.#ears.get(member) ?? new Set()
    this.#ears.set(member, ears)
    const ear = new Ear<News>(signal, () => {
      ears.delete(ear)
      if (ears.size === 0 && this.#ears.get(member) === ears) this.#ears.delete(member)
    })
    ears.add(ear)
    return ear
  }
}

/** What one follower has been told of and has not taken yet. */
export class Ear<News> implements Disposable {
  readonly #signal: AbortSignal
  readonly #onClose: () => void
  readonly #aborted = () => this.#wake()
  #news: News[] = []
  /** Whether something happened that only the store tells. */
  #mustRead = true
  #resolve: (() => void) | undefined

  constructor(signal: AbortSignal, onClose: () => void) {
    this.#signal = signal
    this.#onClose = onClose
    signal.addEventListener('abort', this.#aborted, { once: true })
  }

  hear(news: News | undefined): void {
    if (news === undefined || this.#news.length >= maxKept) this.readAgain()
    else if (!this.#mustRead) this.#news.push(news)
    this.#wake()
  }

  /** Has the follower read from the store, from its cursor on. */
  readAgain(): void {
    this.#mustRead = true
    this.#news = []
  }

  /** What was heard since the last call, in order; undefined when it has to be read from the store. Whoever reads does so at once. */
  take(): News[] | undefined {
    const heard = this.#mustRead ? undefined : this.#news
    this.#mustRead = false
    this.#news = []
    return heard
  }

  /** Resolves as soon as there is something to take, or when the signal aborts. */
  next(): Promise<void> {
    if (this.#signal.aborted || this.#mustRead || this.#news.length > 0) return Promise.resolve()
    return new Promise(resolve => (this.#resolve = resolve))
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#aborted)
    this.#onClose()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #wake(): void {
    this.#resolve?.()
    this.#resolve = undefined
  }
}
