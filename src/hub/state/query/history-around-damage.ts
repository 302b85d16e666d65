import type { Database } from '../store/database.ts'
import { crowdOf } from './crowds.ts'
import { newestSeq, readAroundDamage } from './read-around-damage.ts'

/** A filter of messages by the other side: a member, or one of its projects, or a crowd. */
interface Passed {
  other?: number
  crowd?: string
  project?: string
}

/** Returns further SQL conditions for messages that the reader sent (`x`) or received; ?5 and ?6 are from `parametersOf`. */
export function conditionsOf({ other, crowd, project }: Passed): { sentTo: string; sentBy: string } {
  if (crowd !== undefined) {
    const isToIt = `exists (select 1 from message m where m.seq = x.seq and ${crowdOf} = ?5)`
    return { sentTo: `and in_time() and ${isToIt}`, sentBy: 'and ?5 is null' }
  }
  if (other === undefined) return { sentTo: '', sentBy: '' }
  const [forIt, fromIt] =
    project === undefined
      ? ['', '']
      : ['and d.project = ?6', 'and exists (select 1 from message g where g.seq = x.seq and g.from_project = ?6)']
  return {
    sentTo: `and in_time() and exists (select 1 from delivery d where d.recipient = ?5 and d.seq = x.seq ${forIt})`,
    sentBy: `and in_time() and x.sender = ?5 ${fromIt}`,
  }
}

/** Returns the parameters of these conditions, from ?5 on. */
export function parametersOf({ other, crowd, project }: Passed): (string | number)[] {
  if (crowd !== undefined) return [crowd]
  if (other === undefined) return []
  return project === undefined ? [other] : [other, project]
}

/**
 * Returns the seqs of messages in a damaged store that `reader` sent or received, after `after` and before `before`, newest first. Uses the
 * history indexes, and, if one cannot be read, the rows that it was made from, one by one. Uses `in_time()`: see `Database.addCheck`.
 */
export function historySeqsAroundDamage(
  db: Database,
  reader: number,
  {
    with: other,
    crowd,
    project,
    before,
    limit,
  }: { with?: number; crowd?: string; project?: string; before: number; limit: number },
  after: number,
): number[] {
  const end = Math.min(before - 1, newestSeq(db))
  const reading = (from: string, also: string) =>
    readAroundDamage(
      (after, upTo, most) =>
        db.all<{ seq: number }>(
          `select x.seq from ${from} and x.seq > ?2 and x.seq <= ?3 and in_time() ${also} order by x.seq desc limit ?4`,
          ...[reader, after, upTo, most],
          ...parametersOf({ other, crowd, project }),
        ),
      after,
      end,
      limit,
      'newest first',
    )
  const { sentTo, sentBy } = conditionsOf({ other, crowd, project })
  const unindexed = 'and x.seq > (select seq from history_position)'
  const sides = [
    { index: 'sent x where x.sender = ?1', rows: 'message x where x.sender = ?1', also: sentTo },
    { index: 'received x where x.recipient = ?1', rows: 'delivery x where x.recipient = ?1', also: sentBy },
  ]
  const seqs = sides.flatMap(({ index, rows, also }) => {
    const indexed = reading(index, also)
    return [...indexed.rows, ...reading(rows, indexed.isWhole ? `${also} ${unindexed}` : also).rows]
  })
  return [...new Set(seqs.map(({ seq }) => seq))].sort((a, b) => b - a).slice(0, limit)
}
