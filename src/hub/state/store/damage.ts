import { ClaudeNetError } from '../../../protocol/errors.ts'

/** What an admin does about a store that cannot be used. */
export const restoreHint = 'Keep a copy of the directory, then restore a backup into it.'

/** A damaged store, in words. */
export function damagedStore(found: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The store is damaged: ${found}.`, restoreHint)
}
