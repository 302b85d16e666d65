import type { Command } from '../state/commands.ts'
import { dueLater } from '../state/query/later.ts'
import type { Database } from '../state/store/database.ts'

/** Scheduled messages read from the store at a time. */
const atOnce = 50

/**
 * Delivers the scheduled messages that are due at the steady time returned by `now`, in order and in batches, so that other commands run in
 * between. Throws nothing: messages that could not be delivered wait for the next call.
 */
export async function deliverDue(
  db: Database,
  now: () => number,
  submit: (command: Command) => Promise<unknown>,
): Promise<void> {
  for (let last = ''; ; ) {
    const due = dueLater(db, now(), atOnce)
    // A message that is still due after its attempt is a bug: stop rather than loop.
    if (due.length === 0 || due[0] === last) return
    last = due[0]!
    // One failure must not delay the others.
    await Promise.allSettled(due.map(id => submit({ type: 'later.deliver', id })))
  }
}
