/** Runs `work` one run at a time. Requests that arrive during a run cause exactly one more run after it. */
export class SerialTask {
  readonly #work: () => Promise<void>
  readonly #report: (error: unknown) => void
  readonly #closed = new AbortController()
  #running: Promise<void> | undefined
  #isRequested = false
  #reported = ''

  /** `report` receives what `work` throws; the same error in consecutive runs is reported once. */
  constructor(work: () => Promise<void>, report: (error: unknown) => void) {
    this.#work = work
    this.#report = report
  }

  /** Aborts on `close`. */
  get signal(): AbortSignal {
    return this.#closed.signal
  }

  /** Runs now, or once more after the current run. */
  request(): void {
    this.#isRequested = true
    this.#running ??= this.#run()
  }

  /** Starts no further run, and waits for the current one. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      while (this.#isRequested && !this.signal.aborted) {
        this.#isRequested = false
        await this.#work()
      }
      this.#reported = ''
    } catch (error) {
      if (String(error) !== this.#reported) this.#report(error)
      this.#reported = String(error)
    } finally {
      this.#running = undefined
    }
  }
}
