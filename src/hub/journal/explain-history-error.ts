import { ClaudeNetError } from '../../protocol/errors.ts'
import { CannotReplay } from '../state/state.ts'
import { HistoryError } from './log.ts'

/** Returns an error about a history that this hub cannot continue as one that commands show; any other error unchanged. */
export function explainHistoryError(error: unknown): unknown {
  if (!(error instanceof HistoryError) && !(error instanceof CannotReplay)) return error
  return new ClaudeNetError('conflict', error.message, error.hint)
}
