import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { Database } from '../store/database.ts'
import { type Search, tokensOf } from './search.ts'

/** Raised when the splitting into words or the tables change: an older index is rebuilt. */
const version = 1

/** Most messages, and approximate bytes of texts (at least one message), indexed in one step: some 10 ms. */
const maxMessages = 200
const maxBytes = 96 * 1024

/** Approximate number of tokens in one part of an index, the most that is searched between two checks of the clock. */
const maxTokensInPart = 150_000

/** Separates the number of a part from a token of it. No token contains it. */
const mark = '·'

const schema = /* sql */ `
create table progress (
  only_row integer primary key check (only_row = 1),
  version  integer not null,
  epoch    text    not null,
  seq      integer not null
) strict;

-- The messages that the same members can read (their sender and recipients), in parts, each later than the one before. 'readers' are
-- member ids, or a hash of many.
create table part (
  id      integer primary key,
  readers text    not null,
  tokens  integer not null,
  first   integer not null,
  last    integer not null
) strict;

create index part_of_readers on part (readers, id);

create table part_of (
  reader integer not null,
  part   integer not null,
  primary key (reader, part)
) strict, without rowid;

-- Tokens of a message, each behind the number of its part; the rowid is its seq.
create virtual table words using fts5 (tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
`

/** A part of the index that a reader may search, and the seqs of messages in it. */
interface Part {
  id: number
  first: number
  last: number
}

/** The methods of an index that a search uses. */
export type Words = Pick<WordIndex, 'seq' | 'step' | 'find'>

/** An empty index, for when none can be opened: all messages are scanned. */
export const noWords: Words = {
  seq: 0,
  step: () => ({ more: false, gone: undefined }),
  *find() {},
}

/**
 * The words of all messages, in a file beside the store, which is rebuilt when it is missing, damaged, or of another history. A member's
 * search reads only the parts of the index whose messages that member can read, so that its duration reveals nothing about other messages.
 */
export class WordIndex implements Disposable {
  readonly #db: Database
  readonly #store: Database
  #seq: number

  constructor(path: string, store: Database) {
    this.#store = store
    let db = openIndex(path)
    const found = db && progressOf(db)
    if (!db || !found || found.version !== version || found.seq > (endOf(store, found.epoch) ?? -1)) {
      db?.close()
      for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
      db = new Database(path, 'index')
      db.execute(schema)
      db.run('insert into progress (only_row, version, epoch, seq) values (1, ?, ?, 0)', version, epochOf(store))
    }
    this.#db = db
    this.#seq = progressOf(db)!.seq
  }

  /** Seq of the newest indexed message; all before it are indexed, too. */
  get seq(): number {
    return this.#seq
  }

  /**
   * Indexes the next messages, and removes the words of deleted texts. Returns whether there may be more to do, and the last row of
   * `words_gone` that is done.
   */
  step(): { more: boolean; gone: number | undefined } {
    const gone = this.#store.all<{ id: number; seq: number }>(
      'select id, seq from words_gone order by id limit ?',
      maxMessages,
    )
    const next = this.#store.all<{ seq: number; sender: number; bytes: number }>(
      `select seq, sender, octet_length(body) as bytes from message where seq > ? order by seq limit ?`,
      this.#seq,
      maxMessages,
    )
    let total = 0
    const end = next.findIndex(({ bytes }) => {
      total += bytes
      return total > maxBytes
    })
    const messages = end < 0 ? next : next.slice(0, Math.max(end, 1))
    const last = messages.at(-1)?.seq ?? this.#seq
    if (gone.length > 0 || messages.length > 0) {
      this.#db.transaction(() => {
        for (const { seq, sender } of messages) this.#add(seq, sender)
        for (const { seq } of gone) this.#db.run('delete from words where rowid = ?', seq)
        this.#db.run('update progress set epoch = ?, seq = ?', epochOf(this.#store), last)
      })
      this.#seq = last
    }
    return {
      more: messages.length < next.length || next.length === maxMessages || gone.length === maxMessages,
      gone: gone.at(-1)?.id,
    }
  }

  /**
   * Yields the seqs of indexed messages older than `before` that have all terms of `search`, newest first: those that `reader` can read
   * (all when it is undefined), and `other`, too, if given. `check` is called between reads of the index; what it throws ends the search.
   */
  *find(
    search: Search,
    { reader, other, before }: { reader: number | undefined; other?: number; before: number },
    check: () => void,
  ): Generator<number> {
    const parts =
      reader === undefined
        ? this.#db.all<Part>('select id, first, last from part where first < ?', before)
        : this.#db.all<Part>(
            `select p.id, p.first, p.last from part_of r join part p on p.id = r.part
             where r.reader = ?1 and p.first < ?2
               and (?3 is null or exists (select 1 from part_of o where o.reader = ?3 and o.part = r.part))`,
            reader,
            before,
            other ?? null,
          )
    const sources = parts.map(part => ({
      part,
      seqs: [] as number[],
      next: Math.min(part.last + 1, before),
      isRead: false,
    }))
    while (sources.length > 0) {
      check()
      // Takes the source that may have the newest message. It is read only now, since the newest matches often suffice.
      const source = sources.reduce((one, another) => (headOf(another) > headOf(one) ? another : one))
      const seq = source.seqs.shift()
      if (seq !== undefined) yield seq
      else if (source.isRead) sources.splice(sources.indexOf(source), 1)
      else {
        source.seqs = this.#match(search, source.part.id, source.next)
        source.next = source.seqs.at(-1) ?? 0
        source.isRead = source.seqs.length < matchesAtOnce
      }
    }
  }

  close(): void {
    this.#db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #match(search: Search, part: number, before: number): number[] {
    const terms = search.terms.map(({ token, isPrefix }) => `"${part}${mark}${token}"${isPrefix ? ' *' : ''}`)
    return this.#db
      .all<{ seq: number }>(
        'select rowid as seq from words where words match ? and rowid < ? order by rowid desc limit ?',
        terms.join(' '),
        before,
        matchesAtOnce,
      )
      .map(({ seq }) => seq)
  }

  #add(seq: number, sender: number): void {
    const message = this.#store.get<{ body: string }>(
      'select body from message where seq = ? and text_deleted_at is null',
      seq,
    )
    if (!message) return
    const tokens = [...tokensOf(message.body)]
    if (tokens.length === 0) return
    const recipients = this.#store.all<{ recipient: number }>('select recipient from delivery where seq = ?', seq)
    const part = this.#partFor([sender, ...recipients.map(({ recipient }) => recipient)], seq, tokens.length)
    this.#db.run(
      'insert or replace into words (rowid, tokens) values (?, ?)',
      seq,
      tokens.map(token => `${part}${mark}${token}`).join(' '),
    )
  }

  /** Returns the part for a message: the newest one of its readers, or a new one when that is full. */
  #partFor(members: number[], seq: number, tokens: number): number {
    const ids = [...new Set(members)].sort((a, b) => a - b)
    const list = ids.join(' ')
    const readers = ids.length <= 8 ? list : createHash('sha256').update(list).digest('base64')
    const newest = this.#db.get<{ id: number; tokens: number }>(
      'select id, tokens from part where readers = ? order by id desc limit 1',
      readers,
    )
    if (newest && newest.tokens < maxTokensInPart) {
      this.#db.run('update part set tokens = tokens + ?, last = ? where id = ?', tokens, seq, newest.id)
      return newest.id
    }
    const { id } = this.#db.get<{ id: number }>(
      'insert into part (readers, tokens, first, last) values (?, ?, ?, ?) returning id',
      readers,
      tokens,
      seq,
      seq,
    )!
    this.#db.run('insert into part_of (reader, part) select value, ? from json_each(?)', id, JSON.stringify(ids))
    return id
  }
}

/** Most matches read from a part at once. */
const matchesAtOnce = 200

/** Returns the newest seq that a part may still yield. */
function headOf({ seqs, next }: { seqs: number[]; next: number }): number {
  return seqs[0] ?? next - 1
}

/** Opens the index at `path`; returns undefined when it cannot be read, and has to be rebuilt. */
function openIndex(path: string): Database | undefined {
  try {
    return new Database(path, 'index')
  } catch {
    return undefined
  }
}

function epochOf(store: Database): string {
  return store.get<{ epoch: string }>('select epoch from position')!.epoch
}

/** Returns the last seq of an epoch of this store's history; undefined for one of another. See `local/epochs.ts`. */
function endOf(store: Database, epoch: string): number | undefined {
  return store.get<{ seq: number }>(
    `select seq from position where epoch = ?1 union all select last_seq from past_epoch where epoch = ?1`,
    epoch,
  )?.seq
}

function progressOf(db: Database): { version: number; epoch: string; seq: number } | undefined {
  try {
    return db.get('select version, epoch, seq from progress')
  } catch {
    return undefined
  }
}
