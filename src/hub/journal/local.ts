import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Command, Effects, Entry, Outcome } from '../state/commands.ts'
import { effectsOf, type State } from '../state/state.ts'
import { damagedStore } from '../state/store/damage.ts'
import { isDamage, isDiskFull } from '../state/store/database.ts'
import { StoreLost } from '../state/store/store-files.ts'
import type { Journal } from './journal.ts'
import type { SteadyClock } from './steady-clock.ts'

export interface LocalJournalOptions {
  clock: SteadyClock
  /** Hears what each durable entry means for the world outside, before its submitter does. */
  onEffects: (effects: Effects) => void
  /** Hears of each batch, once it is on disk. */
  onCommit?: (commit: Commit) => void
  /** Hears of a command that threw; it was answered `internal`. */
  onBug: (entry: Entry, error: unknown) => void
  /** Hears of a storage error. `fatal` means that the journal has stopped for good, and so must the hub. */
  onStorageError: (error: unknown, fatal: boolean) => void
}

/** A batch that is on disk: how long applying and syncing it took, and what came of each entry. */
export interface Commit {
  ms: number
  entries: readonly Entry[]
  outcomes: readonly Outcome[]
}

interface Waiting {
  command: Command
  resolve: (outcome: Outcome) => void
  reject: (error: Error) => void
}

/** Most commands in one transaction, so that a submitter waits for a bounded number of others'. */
const maxBatch = 500

/**
 * The journal of a hub that stands alone. Everything submitted while the event loop was busy (with the last fsync, mostly)
 * shares one transaction and one fsync. It keeps no log of its own: the SQLite file is the state at `seq`.
 */
export class LocalJournal implements Journal {
  readonly #state: State
  readonly #options: LocalJournalOptions
  #queue: Waiting[] = []
  #scheduled = false
  #stopped: ClaudeNetError | undefined
  #idle: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(state: State, options: LocalJournalOptions) {
    this.#state = state
    this.#options = options
  }

  submit<C extends Command>(command: C): Promise<Outcome<C>> {
    if (this.#stopped) return Promise.reject(this.#stopped)
    return new Promise((resolve, reject) => {
      this.#queue.push({ command, resolve: resolve as (outcome: Outcome) => void, reject })
      this.#schedule()
    })
  }

  stop(why: ClaudeNetError): void {
    this.#stopped ??= why
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #finish(): Promise<void> {
    if (this.#queue.length > 0) await new Promise<void>(resolve => (this.#idle = resolve))
    this.#stopped ??= stopping()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // After the poll phase: every request that has arrived by then is in the batch.
    setImmediate(() => {
      this.#scheduled = false
      this.#commit(this.#queue.splice(0, maxBatch))
      if (this.#queue.length > 0) this.#schedule()
      else this.#idle?.()
    })
  }

  #commit(batch: Waiting[]): void {
    if (this.#stopped) {
      rejectAll(batch, this.#stopped)
      return
    }
    const { seq } = this.#state.position
    const { time, steady } = this.#options.clock.read()
    const entries = batch.map(({ command }, index): Entry => ({ seq: seq + 1 + index, time, steady, command }))
    let outcomes: Outcome[]
    const startedAt = performance.now()
    try {
      outcomes = this.#state.applyBatch(entries, this.#options.onBug)
    } catch (error) {
      this.#storageFailed(batch, error)
      return
    }
    this.#options.onCommit?.({ ms: performance.now() - startedAt, entries, outcomes })
    for (const outcome of outcomes) this.#options.onEffects(effectsOf(outcome))
    batch.forEach(({ resolve }, index) => {
      resolve(outcomes[index]!)
    })
  }

  /**
   * A full disk passes. A damaged store takes no more, and is read as far as it can be. After any other storage error what is on disk is
   * uncertain, and only a restart finds out.
   */
  #storageFailed(batch: Waiting[], error: unknown): void {
    const refusal = refusalFor(error)
    if (!isDiskFull(error)) this.#stopped = refusal
    rejectAll(batch, refusal)
    this.#options.onStorageError(error, !isDiskFull(error) && !isDamage(error))
  }
}

function refusalFor(error: unknown): ClaudeNetError {
  if (isDamage(error)) return damagedStore((error as Error).message)
  if (isDiskFull(error))
    return new ClaudeNetError(
      'unavailable',
      "The hub's disk is full.",
      'Nothing was stored. Free space on the hub, then try again.',
    )
  const why = error instanceof StoreLost ? `: ${error.message}` : ''
  return new ClaudeNetError(
    'unavailable',
    `The hub cannot write to its disk${why}.`,
    'Its log says why. Try again once it is back.',
  )
}

function rejectAll(batch: Waiting[], error: ClaudeNetError): void {
  for (const { reject } of batch) reject(error)
}

function stopping(): ClaudeNetError {
  return new ClaudeNetError('unavailable', 'The hub is stopping.', 'Try again in a moment.')
}
