import type { Cursor } from '../../../protocol/events.ts'
import type { Database } from '../store/database.ts'
import { isDiskFull } from '../store/sqlite-errors.ts'

/** Most past epochs that are stored, one for each start of a standalone hub; a reader with a cursor of an older one starts again. */
const maxPast = 1000

/**
 * The epochs of one store: the current one, and the end of each past one. A hub that stands alone begins one at each start. A cursor from
 * before a store was replaced by an older copy (or a snapshot of its disk) is thus recognized: if it is of something that the copy lacks,
 * it names an unknown epoch, or a place beyond that epoch's end.
 */
export class Epochs {
  readonly #db: Database
  readonly #past: Map<string, number>
  /** Past epochs that are not saved in the table yet. */
  #unsaved: [epoch: string, lastSeq: number][] = []
  /** Whether the current epoch is saved in `position`. */
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
   * The epoch for new cursors. A current one that is not saved would be unknown after a restart; until it is saved, by the next commit,
   * everything belongs to the one before as well.
   */
  get known(): string {
    return this.#isSaved ? this.#current : (this.#unsaved.at(0)?.[0] ?? this.#current)
  }

  /**
   * Ends the current epoch at `seq` and begins `epoch`. On a full disk that is saved later, by the next commit. Throws on any other storage
   * error.
   */
  enter(epoch: string, seq: number): void {
    this.begin(epoch, seq)
    try {
      this.#db.transaction(() => this.save())
      this.saved()
    } catch (error) {
      if (!isDiskFull(error)) throw error
    }
  }

  /** Does the same, without saving it. */
  begin(epoch: string, seq: number): void {
    if (this.#current) {
      this.#unsaved.push([this.#current, seq])
      this.#past.set(this.#current, seq)
    }
    this.#current = epoch
    this.#isSaved = false
  }

  /** Saves all changes, inside a transaction; `saved` is to be called once that is committed. */
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

  /** Returns the seq that `cursor` stands for in this history, which ends at `newest`; undefined for a cursor of another history. */
  seqOf({ epoch, seq }: Cursor, newest: number): number | undefined {
    const end = epoch === this.#current ? newest : this.#past.get(epoch)
    return end !== undefined && seq <= end ? seq : undefined
  }

  /** Reports whether `cursor` is of this history, but beyond its end: the store is older than what its readers have seen. */
  isAhead({ epoch, seq }: Cursor, newest: number): boolean {
    const end = epoch === this.#current ? newest : this.#past.get(epoch)
    return end !== undefined && seq > end
  }
}

/** Reports whether a store's history has passed through this place in this epoch. */
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
