import { HistoryError, type Log, type LogRecord } from '../../src/hub/journal/log.ts'
import type { Faults } from './faults.ts'
import type { World } from './world.ts'

/** Maximum number of records that a follower receives at once. */
const maxAtOnce = 5

/** Timeout of a request to the log, in ms. */
const patienceMs = 2000

/** A log that several hubs share over a network that delays, loses and repeats requests. Appended records are never lost. */
export class SharedLog {
  readonly records: Uint8Array[] = []
  readonly epoch = 'simulated'
  readonly #world: World
  readonly #faults: Faults
  readonly #waiting = new Set<() => void>()

  constructor(world: World, faults: Faults) {
    this.#world = world
    this.#faults = faults
  }

  get end(): number {
    return this.records.length
  }

  /** Appends `bytes` after the offset `after`. Returns whether they are the record there; another one may have been appended before. */
  take(after: number, bytes: Uint8Array): boolean {
    if (after > this.end) throw new HistoryError(`The log ends at ${this.end}, before ${after}.`, 'Bring the log back.')
    if (after < this.end) return Buffer.from(bytes).equals(this.records[after]!)
    this.records.push(bytes)
    this.#world.note(`record ${this.end}`)
    for (const wake of this.#waiting) wake()
    return true
  }

  /** Returns a connection of hub `name`. */
  connect(name: string): Log {
    const log = this
    const [world, faults] = [this.#world, this.#faults]
    let isClosed = false
    /** Runs `work` at the log, over the network. */
    const ask = <T>(what: string, work: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        const lost = world.schedule(`${what} has no answer`, patienceMs, () =>
          reject(new Error('no answer of the log')),
        )
        const answer = (value: () => void) => {
          if (faults.strikes('log answer lost') || faults.isCut(name, 'log')) return
          world.scheduleOutside(`the answer to ${what} of ${name}`, faults.delay('log'), () => {
            lost()
            value()
          })
        }
        const arrive = () => {
          try {
            const value = work()
            answer(() => resolve(value))
          } catch (error) {
            answer(() => reject(error))
          }
        }
        if (faults.strikes('log request lost') || faults.isCut(name, 'log')) return
        world.scheduleOutside(`${what} of ${name}`, faults.delay('log'), arrive)
        if (faults.strikes('log request repeated'))
          world.scheduleOutside(`${what} of ${name}, again`, 20 * faults.delay('log'), () => {
            try {
              work()
            } catch {
              // The response to a repeated request is dropped.
            }
          })
      })
    return {
      epoch: this.epoch,
      async first() {
        return log.records.length > 0 ? 1 : 0
      },
      async last() {
        for (;;) {
          try {
            return await ask('the end', () => log.end)
          } catch {
            if (isClosed) throw new Error('closed')
          }
        }
      },
      append: (after, bytes) => ask('an append', () => log.take(after, bytes)),
      async *follow(after, signal): AsyncGenerator<readonly LogRecord[]> {
        for (let next = after; !signal.aborted; ) {
          if (next >= log.end) await log.#grown(signal)
          await world.sleep(faults.isCut(name, 'log') ? 500 : faults.delay('log watch'), 'watch')
          if (signal.aborted) return
          if (faults.isCut(name, 'log')) continue
          const count = Math.min(log.end - next, 1 + Math.floor(faults.random() * maxAtOnce))
          if (count > 0)
            yield log.records.slice(next, next + count).map((bytes, at) => ({ offset: next + 1 + at, bytes }))
          next += count
        }
      },
      async trim() {},
      async close() {
        isClosed = true
      },
      async [Symbol.asyncDispose]() {
        isClosed = true
      },
    }
  }

  #grown(signal: AbortSignal): Promise<void> {
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
