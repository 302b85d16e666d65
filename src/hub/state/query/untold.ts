import type { Untold } from '../apply/untold.ts'
import type { Database } from '../store/database.ts'

/** What one sender is to be told: the newest of it, how much it is in all, and up to which place of `untold`. */
export interface UntoldOf {
  sender: number
  upTo: number
  count: number
  newest: Untold[]
}

/** What senders are to be told, whoever has waited longest first: at most `limit` senders, and of each the newest `most`. */
export function untoldBySender(db: Database, limit: number, most: number): UntoldOf[] {
  const senders = db.all<{ sender: number; upTo: number; count: number }>(
    `select sender, max(place) as upTo, count(*) as count from untold group by sender order by min(place) limit ?`,
    limit,
  )
  return senders.map(each => ({ ...each, newest: newestOf(db, each.sender, each.upTo, most) }))
}

function newestOf(db: Database, sender: number, upTo: number, most: number): Untold[] {
  const rows = db.all<{ what: string; detail: string }>(
    'select what, detail from untold where sender = ? and place <= ? order by place desc limit ?',
    ...[sender, upTo, most],
  )
  return rows.reverse().map(({ what, detail }) => ({ ...JSON.parse(detail), what }) as Untold)
}
