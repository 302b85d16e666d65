import type { Entry, Outcome } from '../state/commands.ts'
import { effectsOf, type MarkAfter, type State } from '../state/state.ts'
import type { Verdict } from './agreement.ts'
import type { Commit, JournalListeners } from './journal.ts'

/**
 * Turns packs into outcomes, for every journal: applies their entries in one transaction, and tells of them once that is on disk, in
 * this order: what was committed, then the effects of each entry; the journal answers the submitters after that.
 */
export class Applier {
  readonly state: State
  #listeners: JournalListeners | undefined

  constructor(state: State) {
    this.state = state
  }

  start(listeners: JournalListeners): void {
    this.#listeners = listeners
  }

  /** Entries that become durable by being applied: see `State.applyBatch`. Throws on a storage error. */
  applyFirst(entries: readonly Entry[]): Outcome[] {
    return this.state.applyBatch(entries, this.#onBug)
  }

  /** The same, but they are durable once the state has settled: see `State.applyUnsettled`. Throws on a storage error. */
  applyUnsettled(entries: readonly Entry[]): Outcome[] {
    return this.state.applyUnsettled(entries, this.#onBug)
  }

  /** Entries of packs that are durable in a log: see `State.replay`. `isOwn` where they were submitted here. Throws `CannotReplay`, or on a storage error. */
  applyDurable(entries: readonly Entry[], mark: MarkAfter, isOwn: boolean): Outcome[] {
    const startedAt = performance.now()
    const outcomes = this.state.replay(entries, mark)
    this.tell({ ms: performance.now() - startedAt, isOwn, entries, outcomes })
    return outcomes
  }

  /** Tells of entries that are durable and applied. */
  tell(commit: Commit): void {
    this.#listeners?.onCommit?.(commit)
    for (const outcome of commit.outcomes) this.#listeners?.onEffects(effectsOf(outcome))
  }

  /** The hubs of the log agree, or do not; see `Agreement`. */
  agreed(verdict: Verdict, differing: readonly string[]): void {
    this.#listeners?.onVerdict?.(verdict, differing)
  }

  storageFailed(error: unknown, fatal: boolean): void {
    this.#listeners?.onStorageError(error, fatal)
  }

  readonly #onBug = (entry: Entry, error: unknown) => this.#listeners?.onBug(entry, error)
}
