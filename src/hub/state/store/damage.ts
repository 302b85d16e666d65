import { ClaudeNetError } from '../../../protocol/errors.ts'

/** Advice to the admin about a store that cannot be used. */
export const restoreHint = 'Keep a copy of the directory, then restore a backup into it.'

/** Returns the error for a damaged store. `found` is the report of SQLite; it may have many lines. */
export function damagedStore(found: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The store is damaged: ${inOneLine(found)}.`, restoreHint)
}

/** Returns the first lines of the report of `pragma quick_check`, which may have a hundred. */
export function inOneLine(found: string): string {
  return found.split('\n').slice(0, 2).join(' ')
}
