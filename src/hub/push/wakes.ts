/** Most news kept for one follower; one further behind reads from the store. */
const maxKept = 100

/**
 * Wakes the followers of a member. A wake may carry the news itself, which saves a follower at the end of the history a read of the
 * store; after a wake without news the follower reads from its own cursor.
 */
export class Wakes<News = never> {
  readonly #subscriptions = new Map<number, Set<Subscription<News>>>()

  /** Wakes all followers of `members`. `newsOf` is called only for members with followers; if it returns undefined they read from the store. */
  wake(members: Iterable<number>, newsOf?: (member: number) => News | undefined): void {
    for (const member of members) {
      const subscriptions = this.#subscriptions.get(member)
      if (!subscriptions) continue
      const news = newsOf?.(member)
      for (const subscription of subscriptions) subscription.push(news)
    }
  }

  /** Collects the news of `member` from now on, until `close`. */
  subscribe(member: number, signal: AbortSignal): Subscription<News> {
    const all = this.#subscriptions.get(member) ?? new Set()
    this.#subscriptions.set(member, all)
    const subscription = new Subscription<News>(signal, () => {
      all.delete(subscription)
      if (all.size === 0 && this.#subscriptions.get(member) === all) this.#subscriptions.delete(member)
    })
    all.add(subscription)
    return subscription
  }
}

/** News that was pushed to one follower and that it has not taken yet. */
export class Subscription<News> implements Disposable {
  readonly #signal: AbortSignal
  readonly #onClose: () => void
  readonly #aborted = () => this.#wake()
  #news: News[] = []
  /** Whether a change has to be read from the store. */
  #mustRead = true
  #resolve: (() => void) | undefined

  constructor(signal: AbortSignal, onClose: () => void) {
    this.#signal = signal
    this.#onClose = onClose
    signal.addEventListener('abort', this.#aborted, { once: true })
  }

  push(news: News | undefined): void {
    if (news === undefined || this.#news.length >= maxKept) this.readAgain()
    else if (!this.#mustRead) this.#news.push(news)
    this.#wake()
  }

  /** Makes the follower read from the store, starting at its cursor. */
  readAgain(): void {
    this.#mustRead = true
    this.#news = []
  }

  /** Returns the news since the last call, in order; undefined if the caller has to read from the store, which it then does in the same tick. */
  take(): News[] | undefined {
    const news = this.#mustRead ? undefined : this.#news
    this.#mustRead = false
    this.#news = []
    return news
  }

  /** Resolves once there is something to take, or when the signal aborts. */
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
