import type { RecipientOutcome } from '../commands.ts'
import type { Database } from '../store/database.ts'

/**
 * Whom a message was for, and what became of it there when it was sent. Where the disk has damaged what was noted of that, it is those
 * who have a delivery of it.
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
