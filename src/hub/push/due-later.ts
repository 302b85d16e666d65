import type { Command } from '../state/commands.ts'
import { dueLater } from '../state/query/later.ts'
import type { Database } from '../state/store/database.ts'

/** How much later mail is delivered in one go. */
const atOnce = 50

/**
 * Sends the later mail that is due at the steady time `now` tells, in its order, some of it at a time: senders go between. Throws nothing: what
 * could not be sent waits for the next call.
 */
export async function deliverDue(
  db: Database,
  now: () => number,
  submit: (command: Command) => Promise<unknown>,
): Promise<void> {
  for (let last = ''; ; ) {
    const due = dueLater(db, now(), atOnce)
    // What was tried and is there still is a bug.
    if (due.length === 0 || due[0] === last) return
    last = due[0]!
    // One that fails must not keep the others from their time.
    await Promise.allSettled(due.map(id => submit({ type: 'later.deliver', id })))
  }
}
