import { indexForReader } from '../local/history-index.ts'
import type { Database } from '../store/database.ts'

export interface HistoryFilter {
  /** Only what passed between the reader and this member. */
  with?: number
  /** Only messages with all of these words, or beginnings of words. */
  q?: string
  /** Only what is older than this seq. */
  before: number
  limit: number
}

/**
 * Ids of the messages that `reader` sent or was sent, newest first. Where the indexes lag behind, a search by words finds what
 * they have; without words nothing is missing.
 */
export function historyOf(db: Database, reader: number, { with: other, q, before, limit }: HistoryFilter): string[] {
  indexForReader(db)
  const match = q === undefined ? undefined : matchExpression(q)
  if (match === '') return []
  // Each arm walks its own index downwards and stops at the limit, however long the history is. What was sent after the end of
  // the index is found by looking through the messages after it.
  const words = match === undefined ? '' : 'and x.seq in (select rowid from message_words where message_words match ?4)'
  const sentTo =
    other === undefined ? '' : 'and exists (select 1 from delivery d where d.recipient = ?5 and d.seq = x.seq)'
  const sentBy = other === undefined ? '' : 'and x.sender = ?5'
  const unindexed = `
       union
       select * from (select x.seq from message x where x.seq > (select seq from history_position) and x.sender = ?1 and x.seq < ?2 ${sentTo} order by x.seq desc limit ?3)
       union
       select * from (select x.seq from delivery x where x.seq > (select seq from history_position) and x.recipient = ?1 and x.seq < ?2 ${sentBy} order by x.seq desc limit ?3)`
  const params: (number | string)[] = [reader, before, limit]
  if (match !== undefined || other !== undefined) params.push(match ?? '')
  if (other !== undefined) params.push(other)
  const rows = db.all<{ id: string }>(
    `select m.id from (
       select * from (select x.seq from sent x where x.sender = ?1 and x.seq < ?2 ${sentTo} ${words} order by x.seq desc limit ?3)
       union
       select * from (select x.seq from received x where x.recipient = ?1 and x.seq < ?2 ${sentBy} ${words} order by x.seq desc limit ?3)
       ${match === undefined ? unindexed : ''}
     ) found join message m on m.seq = found.seq order by m.seq desc limit ?3`,
    ...params,
  )
  return rows.map(({ id }) => id)
}

/** What a person typed as an expression of FTS5: every word quoted, so that none of its operators is one. */
function matchExpression(q: string): string {
  const words = q.match(/[\p{L}\p{N}\p{M}_]+/gu) ?? []
  return words.map(word => `"${word}"*`).join(' ')
}
