import { firstCharacters } from '../../../text/visible.ts'
import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { memberById } from '../query/find-member.ts'
import { isProject } from '../query/projects.ts'
import type { NotTaken, Why } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'
import { storeNotice } from './notice.ts'

type Tell = CommandOf<'sender.tell'>

/** What a sender is to be told of a message: which it was, by whom it was to be read, how it began. */
interface Of {
  id: string
  /** As the sender wrote it. */
  to: string[]
  beginning: string
  /** From which project it was sent: its sessions are to hear of it. */
  project?: string | undefined
}

/**
 *   expired    nobody has acked it before its end: so many `members`, `at` the first of them
 *   refused    it was later mail, and nobody took it when it was due
 *   partly     the same of some of its recipients
 *   cancelled  it was later mail of a member whose tokens were revoked
 */
export type Untold =
  | (Of & { what: 'expired'; at: { name: string; fetched: boolean }[]; members: number })
  | (Of & { what: 'refused'; why: Why })
  | (Of & { what: 'partly'; refused: { name: string; reason: NotTaken }[]; gone: string[] })
  | (Of & { what: 'cancelled' })

/** The project in a row of `untold`, in SQL; empty for none. */
export const projectOfUntold = `coalesce(detail ->> 'project', '')`

/** Notes down what `sender` is to be told. The hub makes a message of it, which takes it away here: `sender.tell`. */
export function noteUntold(db: Database, sender: number, { what, ...detail }: Untold): void {
  db.run('insert into untold (sender, what, detail) values (?, ?, ?)', sender, what, JSON.stringify(detail))
}

/** As much of a text as tells which message it was. */
export function beginningOf(body: string): string {
  return firstCharacters(body, limits.toldCharacters)
}

/** Stores the message with what a sender is told. Of several hubs the first one does; what was told is told no more. */
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
