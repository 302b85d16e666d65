import { firstCharacters } from '../../../text/visible.ts'
import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { memberById } from '../query/find-member.ts'
import { isProject } from '../query/projects.ts'
import type { NotTaken, Why } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'
import { storeNotice } from './notice.ts'

type Tell = CommandOf<'sender.tell'>

/** The message that a sender is to be notified about: its id, recipients and beginning. */
interface Of {
  id: string
  /** The recipients as the sender wrote them. */
  to: string[]
  beginning: string
  /** The project from which it was sent, whose sessions are notified. */
  project?: string | undefined
}

/**
 *   expired    `members` recipients have not acked it before its end; `at` has the first of them
 *   refused    a scheduled message that every recipient refused when it was due
 *   partly     a scheduled message that some recipients refused
 *   cancelled  a scheduled message of a member whose tokens were revoked
 */
export type Untold =
  | (Of & { what: 'expired'; at: { name: string; fetched: boolean }[]; members: number })
  | (Of & { what: 'refused'; why: Why })
  | (Of & { what: 'partly'; refused: { name: string; reason: NotTaken }[]; gone: string[] })
  | (Of & { what: 'cancelled' })

/** SQL of the project in a row of `untold`; empty for none. */
export const projectOfUntold = `coalesce(detail ->> 'project', '')`

/** Stores an event of which `sender` is to be notified. The command `sender.tell` stores the notice and deletes the event. */
export function noteUntold(db: Database, sender: number, { what, ...detail }: Untold): void {
  db.run('insert into untold (sender, what, detail) values (?, ?, ?)', sender, what, JSON.stringify(detail))
}

/** Deletes the events of a sender that is deleted. */
export function deleteUntoldOf(db: Database, sender: number): void {
  db.run('delete from untold where sender = ?', sender)
}

/** Returns the beginning of a text, enough to recognize the message. */
export function beginningOf(body: string): string {
  return firstCharacters(body, limits.toldCharacters)
}

/** Stores the hub's message to a sender, and removes the rows it covers. Of several hubs only the first one's counts. */
export function applyTell(db: Database, { seq, time, command }: Entry<Tell>): Outcome<Tell> {
  const { to, project = '', upTo, notice } = command
  const gone = db.run(
    `delete from untold where sender = ? and place <= ? and ${projectOfUntold} = ?`,
    ...[to, upTo, project],
  )
  const recipient = gone > 0 ? memberById(db, to) : undefined
  if (!recipient) return done<Tell>({ told: false })
  const isKnown = project !== '' && isProject(db, to, project)
  storeNotice(db, { seq, time }, recipient, notice, { isOwn: true, ...(isKnown && { project }) })
  return done<Tell>({ told: true }, { wake: [to] })
}
