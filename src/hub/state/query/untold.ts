import { projectOfUntold, type Untold } from '../apply/untold.ts'
import type { Database } from '../store/database.ts'

/** Events that one sender is to be notified of: the newest ones, the number of all, and the place in `untold` up to which they go. */
export interface UntoldOf {
  sender: number
  /** Project from which the messages were sent; empty for none. */
  project: string
  upTo: number
  count: number
  newest: Untold[]
}

/**
 * Returns the events that senders are to be notified of, by sender and project, longest wait first: at most `limit` of these, each with its
 * newest `most`.
 */
export function untoldBySender(db: Database, limit: number, most: number): UntoldOf[] {
  const senders = db.all<Omit<UntoldOf, 'newest'>>(
    `select sender, ${projectOfUntold} as project, max(place) as upTo, count(*) as count
     from untold group by 1, 2 order by min(place) limit ?`,
    limit,
  )
  return senders.map(each => ({ ...each, newest: newestOf(db, each, most) }))
}

function newestOf(db: Database, { sender, project, upTo }: Omit<UntoldOf, 'newest'>, most: number): Untold[] {
  const rows = db.all<{ what: string; detail: string }>(
    `select what, detail from untold where sender = ? and place <= ? and ${projectOfUntold} = ? order by place desc limit ?`,
    ...[sender, upTo, project, most],
  )
  return rows.reverse().map(({ what, detail }) => ({ ...JSON.parse(detail), what }) as Untold)
}
