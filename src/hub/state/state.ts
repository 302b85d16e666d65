import { dirname, join } from 'node:path'
import type { Cursor } from '../../protocol/events.ts'
import { apply } from './apply/apply.ts'
import { currentOffset, recordClockSteps, steadyOf } from './apply/steady-time.ts'
import type { Effects, Entry, Outcome } from './commands.ts'
import { Epochs, newEpoch } from './local/epochs.ts'
import { InboxIndex } from './local/inbox-index.ts'
import { backupBeforeUpgrade } from './store/backup-before-upgrade.ts'
import { backupFolder } from './store/backup-names.ts'
import { Database, sqliteCode } from './store/database.ts'
import { migrate } from './store/migrate.ts'
import { StoreLost } from './store/store-files.ts'

/** How far the state has come in its history. */
export interface Position {
  epoch: string
  seq: number
  /** The wall clock of the last entry, in ms since 1970; 0 before the first. */
  time: number
  /** The steady time of the last entry: see `Entry`. */
  steady: number
}

/** The tables of one hub: what every applied entry made of them. Written by `applyBatch` alone; queries read `db`. */
export class State implements Disposable {
  readonly db: Database
  readonly #inboxes: InboxIndex
  readonly #epochs: Epochs
  #position: Position
  /** How far the wall clock is ahead of the steady one, in ms. */
  #clockOffset: number

  /** Called when a reader has a cursor from further on than this history goes: the store is older than what it had told. */
  onPutBack: (cursor: Cursor) => void = () => {}

  /** Opens `path`, making it as needed, or upgrading it after a backup beside it. A new file starts a new epoch. */
  constructor(path: string) {
    this.db = new Database(path)
    try {
      const backupDir = join(dirname(path), backupFolder)
      migrate(this.db, {
        backupDir,
        backup: schema => backupBeforeUpgrade(this.db, backupDir, schema, Date.now()),
      })
      this.db.run(
        'insert or ignore into position (only_row, epoch, seq, time, steady) values (1, ?, 0, 0, 0)',
        newEpoch(),
      )
      this.#position = this.db.get<Position>('select epoch, seq, time, steady from position')!
      this.#clockOffset = currentOffset(this.db)
      this.#inboxes = new InboxIndex(this.db)
      this.#epochs = new Epochs(this.db, this.#position.epoch)
    } catch (error) {
      this.db.close()
      throw error
    }
  }

  get position(): Position {
    return this.#position
  }

  /** Begins an epoch, as each start of a hub does; see `local/epochs.ts`. Throws on a storage error, but not on a full disk. */
  beginEpoch(): void {
    this.#epochs.begin(this.#position.seq)
    this.#position = { ...this.#position, epoch: this.#epochs.current }
  }

  /** The seq behind which a reader with `cursor` goes on; undefined when it is of another history, and the reader starts anew. */
  seqOf(cursor: Cursor): number | undefined {
    const { seq } = this.#position
    if (this.#epochs.isAhead(cursor, seq)) this.onPutBack(cursor)
    return this.#epochs.seqOf(cursor, seq)
  }

  /**
   * Applies entries in one transaction; when it returns, all of them are on disk. An entry that throws answers `internal`
   * and leaves its neighbours alone (`onBug` hears why). Throws on a storage error: then none of them happened.
   */
  applyBatch(entries: readonly Entry[], onBug: (entry: Entry, error: unknown) => void): Outcome[] {
    try {
      return this.#commit(entries, entry => apply(this.db, entry))
    } catch (error) {
      if (isStorageError(error)) throw error
      // Some entry threw, and all were undone. Again, each for itself: the price of a savepoint is paid only here.
      return this.#commit(entries, entry => this.#applyApart(entry, onBug))
    }
  }

  /** Work on the indexes of the inboxes that can wait for a quiet moment. Throws on a storage error. */
  tidy(): void {
    this.#inboxes.tidy()
  }

  close(): void {
    this.db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #commit(entries: readonly Entry[], applyOne: (entry: Entry) => Outcome): Outcome[] {
    const last = entries.at(-1)
    if (!last) return []
    let clockOffset = this.#clockOffset
    const outcomes = this.db.transaction(() => {
      const outcomes = entries.map(applyOne)
      clockOffset = recordClockSteps(this.db, this.#clockOffset, entries)
      this.#epochs.save()
      this.db.run('update position set seq = ?, time = ?, steady = ?', last.seq, last.time, steadyOf(last))
      // Whoever gets a delivery is woken.
      this.#inboxes.grow(outcomes.reduce((sum, outcome) => sum + (effectsOf(outcome).wake?.length ?? 0), 0))
      return outcomes
    })
    this.#epochs.saved()
    this.#clockOffset = clockOffset
    this.#position = { epoch: this.#position.epoch, seq: last.seq, time: last.time, steady: steadyOf(last) }
    return outcomes
  }

  #applyApart(entry: Entry, onBug: (entry: Entry, error: unknown) => void): Outcome {
    try {
      return this.db.savepoint(() => apply(this.db, entry))
    } catch (error) {
      if (isStorageError(error)) throw error
      onBug(entry, error)
      const refusal = {
        code: 'internal' as const,
        message: 'The hub failed on this request; nothing was changed.',
        hint: 'Its log says why. Report it to the admin of the hub.',
      }
      return { ok: false, refusal }
    }
  }
}

/** No effects, for a refusal. */
const none: Effects = {}

export function effectsOf(outcome: Outcome): Effects {
  return (outcome.ok && outcome.effects) || none
}

/** Whether SQLite could not read or write its file. A broken constraint (19) or a wrong type (20, 25) is a bug, not the disk. */
export function isStorageError(error: unknown): boolean {
  if (error instanceof StoreLost) return true
  const code = sqliteCode(error)
  return code !== undefined && ![1, 18, 19, 20, 25].includes(code)
}
