import { HistoryError, type Log, type LogRecord } from '../../src/hub/journal/log.ts'

/** Effect of a failing append before it rejects: the record is stored, or not. */
export type Failure = 'nothing' | 'stored'

/** A log in memory, for one history. Any number of hubs share it through `connect`. */
export class MemoryLog {
  readonly epoch: string
  /** The records, oldest first; those up to `base` are trimmed. */
  readonly records: Uint8Array[]
  base = 0
  /** Failures of the next appends, in order. */
  readonly failures: Failure[] = []
  readonly #waiting = new Set<() => void>()

  constructor(epoch = 'history', records: Uint8Array[] = []) {
    this.epoch = epoch
    this.records = records
  }

  get end(): number {
    return this.base + this.records.length
  }

  /** Returns a copy of the current log, which diverges from then on: the log after a crash. */
  fork(): MemoryLog {
    const fork = new MemoryLog(this.epoch, [...this.records])
    fork.base = this.base
    return fork
  }

  /** Removes the newest records, like the restore of an old backup of the log. */
  setBack(to: number): void {
    this.records.length = to - this.base
  }

  connect(): Log {
    return new Connection(this)
  }

  append(after: number, bytes: Uint8Array): boolean {
    if (after > this.end) throw new HistoryError(`The log ends at ${this.end}, before ${after}.`, 'Bring the log back.')
    if (after < this.end) return Buffer.from(bytes).equals(this.at(after + 1))
    this.records.push(bytes)
    for (const wake of this.#waiting) wake()
    return true
  }

  at(offset: number): Uint8Array {
    return this.records[offset - this.base - 1]!
  }

  grown(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }
}

const turn = () => new Promise<void>(resolve => setImmediate(resolve))

class Connection implements Log {
  readonly #log: MemoryLog

  constructor(log: MemoryLog) {
    this.#log = log
  }

  get epoch(): string {
    return this.#log.epoch
  }

  async first(): Promise<number> {
    return this.#log.records.length > 0 ? this.#log.base + 1 : 0
  }

  async last(): Promise<number> {
    return this.#log.end
  }

  async append(after: number, bytes: Uint8Array): Promise<boolean> {
    await turn()
    const failure = this.#log.failures.shift()
    if (failure === 'nothing') throw new Error('no answer')
    const isThere = this.#log.append(after, bytes)
    await turn()
    if (failure === 'stored') throw new Error('no answer')
    return isThere
  }

  async *follow(after: number, signal: AbortSignal): AsyncGenerator<readonly LogRecord[]> {
    for (let next = after + 1; !signal.aborted; ) {
      if (next <= this.#log.base)
        throw new HistoryError(`Records up to ${this.#log.base} were trimmed.`, 'Take a newer snapshot.')
      if (next > this.#log.end + 1) throw new HistoryError(`The log ends at ${this.#log.end}.`, 'Bring the log back.')
      if (next > this.#log.end) {
        await this.#log.grown(signal)
        continue
      }
      const records: LogRecord[] = []
      for (; next <= this.#log.end && records.length < 100; next++)
        records.push({ offset: next, bytes: this.#log.at(next) })
      yield records
    }
  }

  async trim(upTo: number): Promise<void> {
    this.#log.records.splice(0, upTo - this.#log.base)
    this.#log.base = Math.max(this.#log.base, upTo)
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
