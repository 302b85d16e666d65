import type { ClaudeNetError } from '../../protocol/errors.ts'
import type { Command, Effects, Entry, Outcome } from '../state/commands.ts'
import type { Verdict } from './agreement.ts'
import type { SteadyClock } from './steady-clock.ts'

/**
 * The order of all entries. Makes commands durable, gives them `seq` and `time`, and has them applied. These promises are tested for every
 * journal by `test/suites/journal-suite.ts`.
 */
export interface Journal extends AsyncDisposable {
  /** The clock that dates its entries. */
  readonly clock: SteadyClock

  /** Sets the listeners. To be called once, before the first `submit`. */
  start(listeners: JournalListeners): void

  /**
   * Resolves once the command is durable and applied here, so that the caller's next read sees it. Submitting the same message id again
   * returns the first outcome. Rejects with `unavailable` when the journal has stopped, or the result is not known: submit the same command
   * again.
   */
  submit<C extends Command>(command: C): Promise<Outcome<C>>

  /**
   * To be called when a reader has seen more of this history than this hub has. A log of this hub alone was set back, and begins a new
   * epoch. With a log of several hubs the reader may come from one that has applied more, and the call has no effect. Throws on a storage error.
   */
  readerIsAhead(): void

  /**
   * Resolves when everything applied is durable; rejects with `unavailable` when that fails. Returns undefined when it is durable already.
   * A reader with a connection other than the state's waits for it before it returns what it has read.
   */
  settling(): Promise<void> | undefined

  /** The reason, in a sentence, why no command is accepted until the hubs of the log agree again; undefined while they do. */
  readonly apart?: string | undefined

  /** Rejects every later command with `why`: for a store that turned out to be unfit for writes. */
  stop(why: ClaudeNetError): void

  /** Waits for the commands that were submitted, then rejects all others with `unavailable`. */
  close(): Promise<void>
}

export interface JournalListeners {
  /** Called with the effects of each durable entry, before its submitter gets the outcome. */
  onEffects: (effects: Effects) => void
  /** Called with each batch once it is on disk, before its submitters get their outcomes. */
  onCommit?: (commit: Commit) => void
  /** Called for a command that threw; its outcome is `internal`. */
  onBug: (entry: Entry, error: unknown) => void
  /** Called when the verdict on the hubs of the log has changed; `differing` are the hubs with other outcomes than this one. */
  onVerdict?: (verdict: Verdict, differing: readonly string[]) => void
  /**
   * Called on an error of the storage or of the history. After a `fatal` one the journal has stopped permanently, and the hub must stop too.
   */
  onStorageError: (error: unknown, fatal: boolean) => void
}

/**
 * A batch that is on disk: the time it took to apply and sync it, in ms, and the outcome of each entry. `isOwn` is true where it was
 * submitted here, as all are at a standalone hub; among several hubs it is true at exactly one.
 */
export interface Commit {
  ms: number
  isOwn: boolean
  entries: readonly Entry[]
  outcomes: readonly Outcome[]
}
