import type { Cursor } from '../../../protocol/events.ts'
import type { Database } from '../store/database.ts'
import { isDiskFull } from '../store/sqlite-errors.ts'

/** Most past epochs that are kept, one for each start of a hub that stands alone; a cursor of an older one starts anew. */
const maxPast = 1000

/**
 * The epochs of one store: the current one, and where each past one ended. A hub that stands alone begins one at each start, so a store that was put
 * back by hand (a copy, a snapshot of its disk) shares with the history that it replaces only what both have: a cursor of what
 * came after the copy names an epoch that is unknown here, or a place beyond that epoch's end.
 */
export class Epochs {
  readonly #db: Database
  readonly #past: Map<string, number>
  /** Past epochs that are not in the table yet. */
  #unsaved: [epoch: string, lastSeq: number][] = []
  /** Whether the current one is in `position`. */
  #isSaved = true
  #current: string

  constructor(db: Database, current: string) {
    this.#db = db
    this.#current = current
    const rows = db.all<{ epoch: string; last_seq: number }>('select epoch, last_seq from past_epoch')
    this.#past = new Map(rows.map(row => [row.epoch, row.last_seq]))
  }

  get current(): string {
    return this.#current
  }

  /**
   * By which epoch a cursor is to be named now. A current one that is not saved yet would be unknown to the next start; until it is saved, with
   * the next commit, all that there is belongs to the one before as well.
   */
  get known(): string {
    return this.#isSaved ? this.#current : (this.#unsaved.at(0)?.[0] ?? this.#current)
  }

  /** Ends the current epoch at `seq` and begins `epoch`. On a full disk it is saved later, by the next commit. Throws on another storage error. */
  enter(epoch: string, seq: number): void {
    this.begin(epoch, seq)
    try {
      this.#db.transaction(() => this.save())
      this.saved()
    } catch (error) {
      if (!isDiskFull(error)) throw error
    }
  }

  /** The same, but it is not on disk until `save`. */
  begin(epoch: string, seq: number): void {
    if (this.#current) {
      this.#unsaved.push([this.#current, seq])
      this.#past.set(this.#current, seq)
    }
    this.#current = epoch
    this.#isSaved = false
  }

  /** Writes what is not on disk yet, inside a transaction; once that is committed, call `saved`. */
  save(): void {
    if (this.#isSaved) return
    for (const [epoch, lastSeq] of this.#unsaved) {
      this.#db.run('insert or replace into past_epoch (epoch, last_seq) values (?, ?)', epoch, lastSeq)
    }
    this.#db.run('delete from past_epoch where rowid <= (select max(rowid) from past_epoch) - ?', maxPast)
    this.#db.run('update position set epoch = ?', this.#current)
  }

  saved(): void {
    this.#unsaved = []
    this.#isSaved = true
  }

  /** The seq that `cursor` stands for in this history, which goes up to `newest`; undefined when it is a cursor of another one. */
  seqOf({ epoch, seq }: Cursor, newest: number): number | undefined {
    const end = epoch === this.#current ? newest : this.#past.get(epoch)
    return end !== undefined && seq <= end ? seq : undefined
  }

  /** Whether `cursor` is of this history, but further than it goes: the store is older than what its readers have seen. */
  isAhead({ epoch, seq }: Cursor, newest: number): boolean {
    const end = epoch === this.#current ? newest : this.#past.get(epoch)
    return end !== undefined && seq > end
  }
}

/** Whether a store's history has come by this place, in this epoch. */
export function isPast(db: Database, { epoch, seq }: Cursor): boolean {
  return (
    db.get(
      `select 1 from (select epoch, seq from position union all select epoch, last_seq from past_epoch)
       where epoch = ? and seq >= ?`,
      epoch,
      seq,
    ) !== undefined
  )
}
