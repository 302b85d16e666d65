import type { Database } from '../store/database.ts'

/**
 * Most deliveries that wait to be sorted into the inboxes. More, and a reader walks past too many that are not its own; fewer,
 * and a batch writes to a page of every inbox again: sorted a thousand at a time, those of one inbox share a page.
 */
const maxUnsorted = 1000

/** More than this, and they are sorted as soon as nobody waits for the disk: to look through fewer costs next to nothing. */
const fewUnsorted = 100

/**
 * Which deliveries are unread, inbox by inbox. They are stored in the order of the journal; `unread` has them in the order of
 * the inboxes, up to `unread_position`. What came after it is found by looking through it: see `unreadSeqs`.
 */
export class InboxIndex {
  readonly #db: Database
  #unsorted: number

  constructor(db: Database) {
    this.#db = db
    this.#unsorted = db.get<{ n: number }>(
      'select count(*) as n from delivery where seq > (select seq from unread_position)',
    )!.n
  }

  /** Counts the deliveries of entries that were applied, inside their transaction; `deliveries` is how many these have stored at most. */
  grow(deliveries: number): void {
    this.#unsorted += deliveries
    if (this.#unsorted > maxUnsorted) this.#sort()
  }

  /** For a quiet moment, in a transaction of its own. Throws on a storage error. */
  tidy(): void {
    if (this.#unsorted > fewUnsorted) this.#db.transaction(() => this.#sort())
  }

  #sort(): void {
    this.#db.run(
      `insert into unread (recipient, seq, handling, project)
       select recipient, seq, handling, project from delivery
       where seq > (select seq from unread_position) and acked_at is null and expired_at is null
       order by recipient, seq`,
    )
    this.#db.run('update unread_position set seq = (select seq from position)')
    this.#unsorted = 0
  }
}

/**
 * The `seq`, `handling` and `project` of what is unread at member ?1 after seq ?2, as a query that others are made of. Both arms are in
 * order, so that with `order by seq limit` behind it no more is read than asked for.
 */
export const unreadSeqs = seqsWhere('')

/** The same of one scope: what is for no project, or for the one that parameter ?`parameter` names. */
export function unreadSeqsOf(parameter: number): string {
  return seqsWhere(`and (project is null or project = ?${parameter})`)
}

function seqsWhere(also: string): string {
  return `
  select seq, handling, project from unread where recipient = ?1 and seq > ?2 ${also}
  union all
  select seq, handling, project from delivery
  where seq > max(?2, (select seq from unread_position)) and recipient = ?1 and acked_at is null and expired_at is null
    ${also}`
}

/** Takes deliveries out of the index, once they were acked or have expired. */
export function dropUnread(db: Database, recipient: number, seqs: readonly number[]): void {
  db.run(
    'delete from unread where recipient = ? and seq in (select value from json_each(?))',
    recipient,
    JSON.stringify(seqs),
  )
}
