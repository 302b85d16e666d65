import type { Entry, Outcome } from '../state/commands.ts'
import { effectsOf, type MarkAfter, type State } from '../state/state.ts'
import type { JournalListeners } from './journal.ts'

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
  applyFirst(entries: readonly Entry[], mark: MarkAfter): Outcome[] {
    return this.#tell(entries, () =>
      this.state.applyBatch(entries, (entry, error) => this.#listeners?.onBug(entry, error), mark),
    )
  }

  /** Entries of packs that are durable in a log: see `State.replay`. Throws `CannotReplay`, or on a storage error. */
  applyDurable(entries: readonly Entry[], mark: MarkAfter): Outcome[] {
    return this.#tell(entries, () => this.state.replay(entries, mark))
  }

  storageFailed(error: unknown, fatal: boolean): void {
    this.#listeners?.onStorageError(error, fatal)
  }

  #tell(entries: readonly Entry[], commit: () => Outcome[]): Outcome[] {
    const startedAt = performance.now()
    const outcomes = commit()
    this.#listeners?.onCommit?.({ ms: performance.now() - startedAt, entries, outcomes })
    for (const outcome of outcomes) this.#listeners?.onEffects(effectsOf(outcome))
    return outcomes
  }
}
