import type { InboxMessage } from '../../../protocol/messages.ts'
import type { ProjectScope } from '../../../protocol/projects.ts'
import { unreadSeqs, unreadSeqsOf } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'

/** Most messages after a page that are read to count newer ones. */
const maxLooked = 1000

/**
 * Sets, for each message of a page, the number of newer unread ones of the same sender, if any: for the same project, and held if it is
 * held itself. After the page, which ends at `lastSeq`, they are counted among the next 1,000; when nothing `follows`, none are read.
 */
export function markOvertaken(
  db: Database,
  member: number,
  messages: readonly InboxMessage[],
  { lastSeq, follows, scope }: { lastSeq: number; follows: boolean; scope: ProjectScope | undefined },
): InboxMessage[] {
  const newer = follows ? sentAfter(db, member, lastSeq, scope) : new Map<string, number>()
  const marked = [...messages].reverse().map(message => {
    const key = keyOf(message)
    const count = newer.get(key) ?? 0
    newer.set(key, count + 1)
    return count > 0 ? { ...message, newer: count } : message
  })
  return marked.reverse()
}

function sentAfter(db: Database, member: number, seq: number, scope: ProjectScope | undefined): Map<string, number> {
  const rows = db.all<{ from: string; project: string | null; held: 0 | 1; count: number }>(
    `select s.name as "from", u.project, u.held, count(*) as count
     from (select seq, project, handling is 'hold' as held
       from (${scope === undefined ? unreadSeqs : unreadSeqsOf(4)}) order by seq limit ?3) u
     join delivery d on d.seq = u.seq and d.recipient = ?1 join member s on s.id = d.sender
     group by d.sender, u.project, u.held`,
    ...[member, seq, maxLooked],
    ...(scope === undefined ? [] : [scope]),
  )
  return new Map(
    rows.map(({ from, project, held, count }) => [
      keyOf({ from, ...(project !== null && { project }), ...(held === 1 && { held: true as const }) }),
      count,
    ]),
  )
}

function keyOf({
  from,
  project,
  held,
}: {
  from: string
  project?: string | undefined
  held?: true | undefined
}): string {
  return `${from} ${project ?? ''} ${held ?? false}`
}
