import { ClaudeNetError } from '../../protocol/errors.ts'
import { type Command, type Entry, entryVersion, type Outcome } from '../state/commands.ts'
import type { State } from '../state/state.ts'
import { damagedStore } from '../state/store/damage.ts'
import { isDamage, isDiskFull } from '../state/store/sqlite-errors.ts'
import { StoreLost } from '../state/store/store-files.ts'
import { Applier } from './applier.ts'
import { newEpoch } from './epoch.ts'
import type { Journal, JournalListeners } from './journal.ts'
import { type Batch, rejectAll, stopping, takeBatch, type Waiting } from './queue.ts'
import type { SteadyClock } from './steady-clock.ts'

/**
 * A lone command is synced in the main thread while commits take less than this, in ms: a hand-over to another thread would take as long.
 */
const quickMs = 2

/** A batch that was applied, and the time at which that began. */
interface Applied {
  batch: Batch
  entries: readonly Entry[]
  outcomes: readonly Outcome[]
  startedAt: number
}

/**
 * The journal of a standalone hub. Its log and its state are one SQLite file, so a pack is durable once it is applied and synced,
 * and nothing is ever replayed. All commands that are submitted while the last batch is on its way to disk share one transaction and one
 * sync. The sync runs in another thread, so that requests are handled meanwhile; a lone command on a fast disk is synced in the
 * main thread, which takes less time. Each start begins an epoch, so that a copy of the file that was put back is noticed.
 */
export class LocalJournal implements Journal {
  readonly clock: SteadyClock
  readonly #state: State
  readonly #applier: Applier
  #queue: Waiting[] = []
  #scheduled = false
  /** Set while a batch is on its way to disk. */
  #settling: Promise<void> | undefined
  /** Duration of the last commit, in ms. */
  #lastMs = 0
  #stopped: ClaudeNetError | undefined
  #idle: (() => void) | undefined
  #closed: Promise<void> | undefined

  /** The journal must be the only writer of `state`. Throws on a storage error other than a full disk. */
  constructor(state: State, clock: SteadyClock) {
    this.clock = clock
    this.#state = state
    this.#applier = new Applier(state)
    state.enterEpoch(newEpoch())
  }

  start(listeners: JournalListeners): void {
    this.#applier.start(listeners)
  }

  readerIsAhead(): void {
    this.#state.enterEpoch(newEpoch())
  }

  submit<C extends Command>(command: C): Promise<Outcome<C>> {
    if (this.#stopped) return Promise.reject(this.#stopped)
    return new Promise((resolve, reject) => {
      this.#queue.push({ command, resolve: resolve as (outcome: Outcome) => void, reject })
      this.#schedule()
    })
  }

  settling(): Promise<void> | undefined {
    return this.#settling
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
    if (this.#queue.length > 0 || this.#settling) await new Promise<void>(resolve => (this.#idle = resolve))
    this.#stopped ??= stopping()
  }

  #schedule(): void {
    if (this.#scheduled || this.#settling) return
    this.#scheduled = true
    // setImmediate runs after the poll phase: every request that has arrived by then is in the batch.
    setImmediate(() => {
      this.#scheduled = false
      this.#commit(takeBatch(this.#queue))
    })
  }

  #commit(batch: Batch): void {
    if (this.#stopped) {
      rejectAll(batch, this.#stopped)
      this.#commitNext()
      return
    }
    const startedAt = performance.now()
    const { seq } = this.#state.applied
    const { time, steady } = this.clock.read()
    const entries = batch.map(
      ({ command }, index): Entry => ({ v: entryVersion, seq: seq + 1 + index, time, steady, command }),
    )
    const isSyncedHere = batch.length === 1 && this.#lastMs < quickMs
    let applied: Applied
    try {
      const outcomes = isSyncedHere ? this.#applier.applyFirst(entries) : this.#applier.applyUnsettled(entries)
      applied = { batch, entries, outcomes, startedAt }
    } catch (error) {
      this.#storageFailed(batch, error)
      this.#commitNext()
      return
    }
    if (isSyncedHere) {
      this.#answer(applied)
      this.#commitNext()
      return
    }
    this.#settling = this.#settle(applied)
    // Callers of `settling` get the failure; the submitters were rejected.
    this.#settling.catch(() => {})
  }

  async #settle(applied: Applied): Promise<void> {
    try {
      await this.#state.settle()
    } catch (error) {
      this.#settling = undefined
      this.#storageFailed(applied.batch, error)
      this.#commitNext()
      throw refusalFor(error)
    }
    this.#settling = undefined
    this.#answer(applied)
    this.#commitNext()
  }

  #commitNext(): void {
    if (this.#queue.length > 0) this.#schedule()
    else if (!this.#settling) this.#idle?.()
  }

  /** Reports a batch that is on disk, then resolves its submitters. */
  #answer({ batch, entries, outcomes, startedAt }: Applied): void {
    this.#lastMs = performance.now() - startedAt
    this.#applier.notify({ ms: this.#lastMs, isOwn: true, entries, outcomes })
    batch.forEach(({ resolve }, index) => {
      resolve(outcomes[index]!)
    })
  }

  /**
   * After a full disk the journal continues. A damaged store rejects writes, but can still be read. After any other storage error it
   * is not known what is on disk: only a restart can find out.
   */
  #storageFailed(batch: Batch, error: unknown): void {
    const refusal = refusalFor(error)
    if (!isDiskFull(error)) this.#stopped = refusal
    rejectAll(batch, refusal)
    this.#applier.storageFailed(error, !isDiskFull(error) && !isDamage(error))
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
