import { ClaudeNetError } from '../../protocol/errors.ts'
import { CannotReplay } from '../state/state.ts'
import { HistoryError } from './log.ts'

/** A history that this hub cannot go on with, as the commands tell of it; any other error as it is. */
export function historyInWords(error: unknown): unknown {
  if (!(error instanceof HistoryError) && !(error instanceof CannotReplay)) return error
  return new ClaudeNetError('conflict', error.message, error.hint)
}
