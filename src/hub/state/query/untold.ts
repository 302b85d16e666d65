import { projectOfUntold, type Untold } from '../apply/untold.ts'
import type { Database } from '../store/database.ts'

/** What one sender is to be told: the newest of it, how much it is in all, and up to which place of `untold`. */
export interface UntoldOf {
  sender: number
  /** The project from which they sent it; empty for none. */
  project: string
  upTo: number
  count: number
  newest: Untold[]
}

/** What senders are to be told, by project, what has waited longest first: at most `limit` of these, and of each the newest `most`. */
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
