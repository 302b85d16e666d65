import type { Database } from '../store/database.ts'
import { Search } from '../words/search.ts'
import type { Words } from '../words/word-index.ts'
import { crowdOf } from './crowds.ts'
import { conditionsOf, historySeqsAroundDamage, parametersOf } from './history-around-damage.ts'
import { newestSeq, readAroundDamage, unlessUnreadable } from './read-around-damage.ts'
import type { Eyes } from './viewer.ts'

export interface HistoryFilter {
  /** Only messages between the reader and this member. */
  with?: number
  /** Only messages that the reader sent to this group, or to `all`, by that name. */
  crowd?: string
  /** With `with`: only messages for this project there, or from it. */
  project?: string
  /** Only messages with all of these words, or beginnings of words. */
  q?: string
  /** Only messages before this seq. */
  before: number
  limit: number
}

/** Further dependencies of a search. */
export interface SearchTools {
  words: Words
  /** Called often; what it throws ends the search. It is also an SQL condition, `in_time()`: see `Database.addCheck`. */
  check: () => void
}

/** Most messages read from the history at once while their texts are searched. */
const textsAtOnce = 100

/**
 * Returns the seqs of messages that any of `eyes` sent or received, newest first. `with` and `project` apply to each of them; for all
 * members, `with` alone selects the member whose history it is.
 */
export function historySeen(db: Database, eyes: Eyes, filter: HistoryFilter, tools: SearchTools): number[] {
  if (eyes === 'all') {
    const { with: other, ...rest } = filter
    return historyOf(db, other, rest, tools)
  }
  const seqs = new Set([...eyes].flatMap(reader => historyOf(db, reader, filter, tools)))
  return [...seqs].sort((a, b) => b - a).slice(0, filter.limit)
}

/**
 * Returns the seqs of messages that `reader` sent or received, or of all when it is undefined, newest first. Messages that are not indexed
 * yet are scanned, so that none is missing. Of a damaged store, those that can be read. Throws `invalid` when `q` has too many words.
 */
export function historyOf(
  db: Database,
  reader: number | undefined,
  filter: HistoryFilter,
  tools: SearchTools,
): number[] {
  if (filter.q === undefined) return seqsBefore(db, reader, filter, 0)
  const search = new Search(filter.q)
  if (search.terms.length === 0) return []
  const found: number[] = []
  for (const seq of matches(db, reader, filter, search, tools)) {
    if (found.push(seq) === filter.limit) break
  }
  return found
}

function* matches(
  db: Database,
  reader: number | undefined,
  filter: HistoryFilter,
  search: Search,
  { words, check }: SearchTools,
): Generator<number> {
  const indexed = words.seq
  let { before } = filter
  for (let more = true; more; ) {
    const seqs = seqsBefore(db, reader, { ...filter, before, limit: textsAtOnce }, indexed)
    more = seqs.length === textsAtOnce
    before = seqs.at(-1) ?? before
    for (const seq of seqs) {
      check()
      if (hasText(db, seq, search)) yield seq
    }
  }
  for (const seq of words.find(search, { reader, other: filter.with, before: filter.before }, check)) {
    if (seq > indexed) continue
    if (reader !== undefined && filter.with !== undefined && !hasPassed(db, seq, reader, filter.with, filter.project))
      continue
    if (filter.crowd !== undefined && !isToCrowd(db, seq, reader, filter.crowd)) continue
    if (search.needsText ? hasText(db, seq, search) : isThere(db, seq)) yield seq
  }
}

/**
 * Each arm reads its own index backwards and stops at the limit, however long the history is. Messages after the end of the index are
 * scanned.
 */
function seqsBefore(db: Database, reader: number | undefined, filter: HistoryFilter, after: number): number[] {
  if (reader === undefined) return allBefore(db, filter, after)
  return (
    unlessUnreadable(() => indexedSeqsBefore(db, reader, filter, after)) ??
    historySeqsAroundDamage(db, reader, filter, after)
  )
}

/** Returns the messages of all members. Of a damaged store, those that can be read. */
function allBefore(db: Database, { before, limit, crowd }: HistoryFilter, after: number): number[] {
  const { rows } = readAroundDamage(
    (after, upTo, most) =>
      db.all<{ seq: number }>(
        `select m.seq from message m where m.seq > ?1 and m.seq <= ?2 ${crowd === undefined ? '' : `and in_time() and ${crowdOf} = ?4`}
         order by m.seq desc limit ?3`,
        ...[after, upTo, most],
        ...(crowd === undefined ? [] : [crowd]),
      ),
    ...[after, Math.min(before - 1, newestSeq(db)), limit],
    'newest first',
  )
  return rows.map(({ seq }) => seq)
}

function indexedSeqsBefore(
  db: Database,
  reader: number,
  { with: other, crowd, project, before, limit }: HistoryFilter,
  after: number,
): number[] {
  const { sentTo, sentBy } = conditionsOf({ other, crowd, project })
  const arm = (from: string, also: string) =>
    `select * from (select x.seq from ${from} and x.seq > ?4 and x.seq < ?2 ${also} order by x.seq desc limit ?3)`
  const unindexed = 'x.seq > (select seq from history_position)'
  const rows = db.all<{ seq: number }>(
    `${arm('sent x where x.sender = ?1', sentTo)}
     union
     ${arm('received x where x.recipient = ?1', sentBy)}
     union
     ${arm(`message x where ${unindexed} and x.sender = ?1`, sentTo)}
     union
     ${arm(`delivery x where ${unindexed} and x.recipient = ?1`, sentBy)}
     order by 1 desc limit ?3`,
    ...[reader, before, limit, after],
    ...parametersOf({ other, crowd, project }),
  )
  return rows.map(({ seq }) => seq)
}

function hasPassed(db: Database, seq: number, one: number, other: number, project: string | undefined): boolean {
  const passed = unlessUnreadable(() =>
    db.get(
      `select 1 from delivery d where d.seq = ?1 and (
         (d.sender = ?2 and d.recipient = ?3 and (?4 is null or d.project = ?4))
         or (d.sender = ?3 and d.recipient = ?2
           and (?4 is null or exists (select 1 from message g where g.seq = ?1 and g.from_project = ?4))))`,
      ...[seq, one, other, project ?? null],
    ),
  )
  return passed !== undefined
}

function isToCrowd(db: Database, seq: number, reader: number | undefined, crowd: string): boolean {
  const found = unlessUnreadable(() =>
    db.get(
      `select 1 from message m where m.seq = ?1 and (?2 is null or m.sender = ?2) and ${crowdOf} = ?3`,
      ...[seq, reader ?? null, crowd],
    ),
  )
  return found !== undefined
}

/** Reports whether the text still exists; the index may still have the words of a deleted one. */
function isThere(db: Database, seq: number): boolean {
  return (
    unlessUnreadable(() => db.get('select 1 from message where seq = ? and text_deleted_at is null', seq)) !== undefined
  )
}

function hasText(db: Database, seq: number, search: Search): boolean {
  const row = unlessUnreadable(() =>
    db.get<{ body: string }>('select body from message where seq = ? and text_deleted_at is null', seq),
  )
  return row !== undefined && search.isIn(row.body)
}
