import type { Database } from '../store/database.ts'
import { newestSeq, readRound } from './read-round.ts'

/** What else is asked of what the reader sent (`x`), and of what it was sent. */
export const noOther = { sentTo: '', sentBy: '' }

/** The same of what passed between the reader and member ?5, and with a project between the reader and project ?6 there. */
export function withOther(project: string | undefined): typeof noOther {
  const [forIt, fromIt] =
    project === undefined
      ? ['', '']
      : ['and d.project = ?6', 'and exists (select 1 from message g where g.seq = x.seq and g.from_project = ?6)']
  return {
    sentTo: `and in_time() and exists (select 1 from delivery d where d.recipient = ?5 and d.seq = x.seq ${forIt})`,
    sentBy: `and in_time() and x.sender = ?5 ${fromIt}`,
  }
}

/**
 * Seqs of the messages in a damaged store that `reader` sent or was sent, after `after` and before `before`, newest first: by
 * the indexes of history, and where one of them cannot be read, by what it was made from, row by row. Uses `in_time()`: see
 * `Database.addCheck`.
 */
export function seqsAround(
  db: Database,
  reader: number,
  { with: other, project, before, limit }: { with?: number; project?: string; before: number; limit: number },
  after: number,
): number[] {
  const end = Math.min(before - 1, newestSeq(db))
  const reading = (from: string, also: string) =>
    readRound(
      (after, upTo, most) =>
        db.all<{ seq: number }>(
          `select x.seq from ${from} and x.seq > ?2 and x.seq <= ?3 and in_time() ${also} order by x.seq desc limit ?4`,
          ...[reader, after, upTo, most],
          ...(other === undefined ? [] : [other]),
          ...(other === undefined || project === undefined ? [] : [project]),
        ),
      after,
      end,
      limit,
      'newest first',
    )
  const { sentTo, sentBy } = other === undefined ? noOther : withOther(project)
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
