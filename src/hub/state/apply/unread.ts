import { dropUnread } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'
import { countForProject } from './projects.ts'
import { giveRoom } from './room.ts'

/** A delivery that is no longer unread, and the project of its recipient that it is for. */
export interface Settled {
  seq: number
  project?: string | null
}

/** Removes deliveries from the unread ones of `recipient`: they were acked or have expired. */
export function settleUnread(db: Database, recipient: number, settled: readonly Settled[]): void {
  const seqs = settled.map(({ seq }) => seq)
  dropUnread(db, recipient, seqs)
  giveRoom(db, recipient, seqs)
  for (const { project } of settled) if (project) countForProject(db, recipient, project, -1)
}
