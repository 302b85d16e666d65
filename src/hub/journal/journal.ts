import type { ClaudeNetError } from '../../protocol/errors.ts'
import type { Command, Effects, Entry, Outcome } from '../state/commands.ts'
import type { Verdict } from './agreement.ts'
import type { SteadyClock } from './steady-clock.ts'

/**
 * The order of all entries. Makes commands durable, gives them `seq` and `time`, and has them applied.
 * What is promised here is tested for every journal by `test/suites/journal-suite.ts`.
 */
export interface Journal extends AsyncDisposable {
  /** The clocks that its entries get their times from. */
  readonly clock: SteadyClock

  /** Says who is told of what is committed. To be called once, before the first `submit`. */
  start(listeners: JournalListeners): void

  /**
   * Resolves once the command is durable and applied here, so that the caller's next read sees it. Submitting the same
   * message id again returns the first outcome. Rejects with `unavailable` when the journal has stopped, or nothing is known: submit the
   * same command again.
   */
  submit<C extends Command>(command: C): Promise<Outcome<C>>

  /**
   * A reader has seen more of this history than there is. A log of this hub alone was set back, and begins another epoch; with a log
   * of several hubs the reader may come from one that is further on, and nothing happens. Throws on a storage error.
   */
  readerIsAhead(): void

  /**
   * Resolves when what is applied and not durable yet is durable; rejects with `unavailable` when that fails. Undefined when all is
   * durable. Whoever reads by another connection than the state's waits for it before anyone sees what was read.
   */
  settling(): Promise<void> | undefined

  /** Why nothing is taken until hubs of the log agree again, in a sentence; undefined where that is not so. */
  readonly apart?: string | undefined

  /** Refuses everything from now on with `why`: for a store that is found to be unfit for more. */
  stop(why: ClaudeNetError): void

  /** Waits for what was submitted, then refuses everything else with `unavailable`. */
  close(): Promise<void>
}

export interface JournalListeners {
  /** Called with what each durable entry means for the world outside, before its submitter is answered. */
  onEffects: (effects: Effects) => void
  /** Called with each batch, once it is on disk and before its submitters are answered. */
  onCommit?: (commit: Commit) => void
  /** Called for a command that threw; it was answered `internal`. */
  onBug: (entry: Entry, error: unknown) => void
  /** Called when it has changed whether the hubs of the log have come to the same outcomes; `differing` are those that have not. */
  onVerdict?: (verdict: Verdict, differing: readonly string[]) => void
  /** Called on an error of the storage or of the history. `fatal` means that the journal has stopped for good, and so must the hub. */
  onStorageError: (error: unknown, fatal: boolean) => void
}

/**
 * A batch that is on disk: how long applying and syncing it took in ms, and what came of each entry. `isOwn` where it was submitted here, as
 * all of them are at a hub that stands alone: of several hubs exactly one is told so.
 */
export interface Commit {
  ms: number
  isOwn: boolean
  entries: readonly Entry[]
  outcomes: readonly Outcome[]
}
