import type { Database } from '../store/database.ts'

/**
 * Most deliveries that wait to be sorted into the inboxes. With more, a reader skips too many that are not its own; with fewer, each batch
 * writes a page of every inbox: of a thousand sorted together, those of one inbox share a page.
 */
const maxUnsorted = 1000

/** Number of unsorted deliveries above which they are sorted as soon as nobody waits for the disk: scanning fewer costs next to nothing. */
const fewUnsorted = 100

/**
 * Index of unread deliveries by inbox. Deliveries are stored in the order of the journal; the table `unread` has them in the order of the
 * inboxes, up to `unread_position`. Later ones are found by a scan: see `unreadSeqs`.
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

  /** Counts the deliveries of applied entries, inside their transaction; `deliveries` is an upper bound of those that they have stored. */
  grow(deliveries: number): void {
    this.#unsorted += deliveries
    if (this.#unsorted > maxUnsorted) this.#sort()
  }

  /** Sorts deliveries while the hub is idle, in a transaction of its own. Throws on a storage error. */
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
 * SQL of the `seq`, `handling` and `project` of unread deliveries of member ?1 after seq ?2, for use in other queries. Both arms are in
 * order, so that with `order by seq limit` after it no more rows are read than requested.
 */
export const unreadSeqs = seqsWhere('')

/** Returns the same for one scope: deliveries for no project, or for the one that parameter ?`parameter` names. */
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

/** Removes deliveries from the index that were acked or have expired. */
export function dropUnread(db: Database, recipient: number, seqs: readonly number[]): void {
  db.run(
    'delete from unread where recipient = ? and seq in (select value from json_each(?))',
    recipient,
    JSON.stringify(seqs),
  )
}
