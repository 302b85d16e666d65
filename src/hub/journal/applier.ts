import type { Entry, Outcome } from '../state/commands.ts'
import { effectsOf, type MarkAfter, type State } from '../state/state.ts'
import type { Verdict } from './agreement.ts'
import type { Commit, JournalListeners } from './journal.ts'

/**
 * Turns packs into outcomes, for every journal: applies their entries in one transaction, and calls the listeners once that is on disk,
 * first with the commit, then with the effects of each entry; the journal resolves the submitters after that.
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

  /** Applies entries that become durable by it: see `State.applyBatch`. Throws on a storage error. */
  applyFirst(entries: readonly Entry[]): Outcome[] {
    return this.state.applyBatch(entries, this.#onBug)
  }

  /** Applies entries that are durable once the state has settled: see `State.applyUnsettled`. Throws on a storage error. */
  applyUnsettled(entries: readonly Entry[]): Outcome[] {
    return this.state.applyUnsettled(entries, this.#onBug)
  }

  /**
   * Applies entries that are durable in a log: see `State.replay`. `isOwn` is true where they were submitted here. Throws `CannotReplay`,
   * and on a storage error.
   */
  applyDurable(entries: readonly Entry[], mark: MarkAfter, isOwn: boolean): Outcome[] {
    const startedAt = performance.now()
    const outcomes = this.state.replay(entries, mark)
    this.notify({ ms: performance.now() - startedAt, isOwn, entries, outcomes })
    return outcomes
  }

  /** Calls the listeners for entries that are durable and applied. */
  notify(commit: Commit): void {
    this.#listeners?.onCommit?.(commit)
    for (const outcome of commit.outcomes) this.#listeners?.onEffects(effectsOf(outcome))
  }

  /** Reports a changed verdict of `Agreement`. */
  agreed(verdict: Verdict, differing: readonly string[]): void {
    this.#listeners?.onVerdict?.(verdict, differing)
  }

  storageFailed(error: unknown, fatal: boolean): void {
    this.#listeners?.onStorageError(error, fatal)
  }

  readonly #onBug = (entry: Entry, error: unknown) => this.#listeners?.onBug(entry, error)
}
