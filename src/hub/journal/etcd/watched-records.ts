import type { LogRecord } from '../log.ts'

/** Records that a watch has delivered and its follower has not taken yet. */
export class WatchedRecords {
  /** Aborts when the follower has ended. */
  readonly signal: AbortSignal
  /** Set when there may be a record that the watch did not deliver. */
  hasGap = false
  readonly #end = new AbortController()
  #records: LogRecord[] = []
  #wake: () => void = () => {}

  constructor(signal: AbortSignal) {
    this.signal = this.#end.signal
    signal.addEventListener('abort', () => this.end(), { once: true, signal: this.signal })
    if (signal.aborted) this.end()
  }

  add(records: LogRecord[]): void {
    if (records.length === 0) return
    this.#records.push(...records)
    this.#wake()
  }

  missed(): void {
    this.hasGap = true
    this.#wake()
  }

  /**
   * Returns the records behind `at` up to the first gap, and sets `hasGap` where there is one. All others are dropped: they are read by
   * key.
   */
  take(at: number): LogRecord[] {
    const next = this.#records.filter(({ offset }) => offset > at)
    this.#records = []
    const taken = next.filter(({ offset }, index) => offset === at + 1 + index)
    if (taken.length < next.length) this.hasGap = true
    return taken
  }

  /** Resolves to false when there are records or a gap, and to true after `ms`. */
  wait(ms: number): Promise<boolean> {
    return new Promise(resolve => {
      if (this.signal.aborted || this.#records.length > 0 || this.hasGap) return resolve(false)
      const timer = setTimeout(() => done(true), ms)
      const done = (isLate: boolean) => {
        clearTimeout(timer)
        this.#wake = () => {}
        resolve(isLate)
      }
      this.#wake = () => done(false)
    })
  }

  /** Resolves after `ms`, or when the follower ends. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const done = () => {
        clearTimeout(timer)
        this.signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.signal.addEventListener('abort', done)
    })
  }

  end(): void {
    this.#end.abort()
    this.#wake()
  }
}
