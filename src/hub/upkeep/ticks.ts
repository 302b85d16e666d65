import { deliverDue } from '../push/due-later.ts'
import type { Duty } from '../sharing/duty.ts'
import { nextForgotten } from '../state/apply/projects.ts'
import { nextDeletion } from '../state/apply/retention.ts'
import type { Command, ResultOf } from '../state/commands.ts'
import { noticesToSenders } from '../state/notify-senders.ts'
import { nextDue } from '../state/query/members.ts'
import type { Database } from '../state/store/database.ts'

export interface TicksOptions {
  db: Database
  duty: Duty
  /** Returns the steady time, in ms since 1970. */
  steadyNow: () => number
  submit: <C extends Command>(command: C) => Promise<ResultOf<C>>
}

/** Submits what is due: messages for later, a tick for what expires, notices to senders. */
export class Ticks {
  readonly #options: TicksOptions
  #isRunning = false

  constructor(options: TicksOptions) {
    this.#options = options
  }

  /** Submits nothing while nothing is due: an idle hub writes nothing. Further deletions wait for the next run, to leave time for senders. */
  async run(): Promise<void> {
    const { db, duty, steadyNow, submit } = this.#options
    if (this.#isRunning || !duty.isMine) return
    this.#isRunning = true
    try {
      await deliverDue(db, steadyNow, submit)
      for (let more = true; more; ) {
        const due = Math.min(nextDue(db) ?? Infinity, nextDeletion(db) ?? Infinity, nextForgotten(db) ?? Infinity)
        if (due > steadyNow()) break
        more = (await submit({ type: 'clock.tick' })).more
      }
      await Promise.all(noticesToSenders(db).map(command => submit(command)))
    } catch {
      // The journal has called `onStorageError`; the next run tries again.
    } finally {
      this.#isRunning = false
    }
  }
}
