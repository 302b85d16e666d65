import { ClaudeNetError } from '../../../protocol/errors.ts'

/** What an admin does about a store that cannot be used. */
export const restoreHint = 'Keep a copy of the directory, then restore a backup into it.'

/** A damaged store, in words. `found` is what SQLite says; it may have many lines. */
export function damagedStore(found: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The store is damaged: ${inOneLine(found)}.`, restoreHint)
}

/** The first lines of what `pragma quick_check` finds; it goes on for a hundred. */
export function inOneLine(found: string): string {
  return found.split('\n').slice(0, 2).join(' ')
}
