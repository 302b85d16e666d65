import type { ClaudeNetError } from '../../protocol/errors.ts'
import type { Command, Outcome } from '../state/commands.ts'

/**
 * The order of all entries. Makes commands durable, gives them `seq` and `time`, and has them applied.
 * What is promised here is tested for every journal by `test/suites/journal-suite.ts`.
 */
export interface Journal extends AsyncDisposable {
  /**
   * Resolves once the command is durable and applied here, so that the caller's next read sees it. Submitting the same
   * message id again returns the first outcome. Rejects with `unavailable` only when nothing is known: submit the same
   * command again.
   */
  submit<C extends Command>(command: C): Promise<Outcome<C>>

  /** Refuses everything from now on with `why`: for a store that is found to be unfit for more. */
  stop(why: ClaudeNetError): void

  /** Waits for what was submitted, then refuses everything else with `unavailable`. */
  close(): Promise<void>
}
