import type { RecipientOutcome } from '../commands.ts'
import type { Database } from '../store/database.ts'

/**
 * Returns the recipients of a message with their outcomes when it was sent. When the disk has damaged that column, returns those who have a
 * delivery.
 */
export function recipientsOf(db: Database, { seq, outcome }: { seq: number; outcome: string }): RecipientOutcome[] {
  try {
    return JSON.parse(outcome) as RecipientOutcome[]
  } catch {
    return db.all<RecipientOutcome>(
      `select d.recipient as member, r.name, r.kind, 'stored' as status, d.project
       from delivery d join member r on r.id = d.recipient where d.seq = ? order by d.recipient`,
      seq,
    )
  }
}
