import type { Database } from '../store/database.ts'
import { crowdOf, crowds } from './crowds.ts'
import { unlessUnreadable } from './read-around-damage.ts'
import { type LateAnswers, maxLooked, openForMs } from './requests.ts'

/** Most deliveries of a member's questions that are read. */
const maxDeliveries = 2000

interface QuestionRow {
  id: string
  /** The member that was asked, or has asked. */
  other: number
  /** The member that owes the answer, and the one that has answered in its place. */
  owes: number
  answeredBy: number | null
  crowd: string
}

/**
 * Returns the numbers of questions between `member` and others without an answer, in both directions, by the other's id and the crowd as in
 * `conversation`. An ack is no answer; an expired question waits for none. Of a damaged store, those that can be read. Uses `in_time()`.
 */
export function openQuestions(
  db: Database,
  member: number,
  { now, late }: { now: number; late: LateAnswers },
): ReadonlyMap<string, number> {
  const rows = [asked, wasAsked].flatMap(
    sql => unlessUnreadable(() => db.all<QuestionRow>(sql, member, now - openForMs)) ?? [],
  )
  const counts = new Map<string, number>()
  const ofCrowds = new Set<string>()
  for (const { id, other, owes, answeredBy, crowd } of rows) {
    const answered = late.get(id)
    if (answered?.has(owes) || (answeredBy !== null && answered?.has(answeredBy))) continue
    raise(counts, `${other} `)
    if (crowd === '' || ofCrowds.has(id)) continue
    ofCrowds.add(id)
    raise(counts, `${crowds} ${crowd}`)
  }
  return counts
}

const unanswered = `m.intent <> 'inform' and m.sent_at > ?2 and d.expired_at is null and in_time()
  and not exists (select 1 from answer a where a.reply_to = m.id and a.sender in (d.recipient, d.answered_by))`

const asked = `
  select m.id, d.recipient as other, d.recipient as owes, d.answered_by as answeredBy, ${crowdOf} as crowd
  from (${newestOf('sent x where x.sender', 'message x where x.sender')}) x
  join message m on m.seq = x.seq join delivery d on d.seq = x.seq join member r on r.id = d.recipient
  where ${unanswered} and r.deleted_at is null limit ${maxDeliveries}`

const wasAsked = `
  select m.id, m.sender as other, ?1 as owes, d.answered_by as answeredBy, '' as crowd
  from (${newestOf('received x where x.recipient', 'delivery x where x.recipient')}) x
  join message m on m.seq = x.seq join delivery d on d.seq = x.seq and d.recipient = ?1
  where ${unanswered} and m.sender <> ?1`

/** Returns SQL of the seqs of the newest messages, indexed or not. */
function newestOf(indexed: string, rows: string): string {
  return `
    select seq from (select x.seq from ${indexed} = ?1 order by x.seq desc limit ${maxLooked})
    union
    select seq from (select x.seq from ${rows} = ?1 and x.seq > (select seq from history_position)
      order by x.seq desc limit ${maxLooked})
    order by seq desc limit ${maxLooked}`
}

function raise(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
