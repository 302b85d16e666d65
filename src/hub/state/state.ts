import { hash as digest } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Cursor } from '../../protocol/events.ts'
import { apply } from './apply/apply.ts'
import { currentOffset, recordClockStep, steadyOf } from './apply/steady-time.ts'
import { type Effects, type Entry, NewerEntry, type Outcome } from './commands.ts'
import { Epochs } from './local/epochs.ts'
import { InboxIndex } from './local/inbox-index.ts'
import { type OwnLog, saveOwnLog } from './local/own-log.ts'
import { forgetMembers } from './query/known-members.ts'
import { refuse } from './refusals.ts'
import { backupBeforeUpgrade } from './store/backup-before-upgrade.ts'
import { backupFolder } from './store/backup-names.ts'
import { Database } from './store/database.ts'
import { migrate } from './store/migrate.ts'
import { sqliteCode } from './store/sqlite-errors.ts'
import { StoreLost } from './store/store-files.ts'
import { NotSynced } from './store/write-ahead-log.ts'

/**
 * The position of a state in its log: the number of packs it has applied, the chain of their bytes, and the chain of the outcomes of their
 * entries.
 */
export interface Mark {
  offset: number
  hash: string
  outcomes: string
}

/** The position of a state in its history. Written in the transaction that applies; the epoch also when another one is entered. */
export interface Position extends Mark {
  /** Name of the history, given by the journal. Empty in a store that no journal has written to. */
  epoch: string
  seq: number
  /** The wall clock of the last entry, in ms since 1970; 0 before the first. */
  time: number
  /** The steady time of the last entry: see `Entry`. */
  steady: number
}

/** Called once all entries of a pack are applied, before the commit; returns the log's offset and chain after them. */
export type MarkAfter = () => Pick<Mark, 'offset' | 'hash'>

/** Called for an entry that threw. */
type OnBug = (entry: Entry, error: unknown) => void

interface CommitOptions {
  /** Whether the entries are on disk when the call returns. */
  isSettled: boolean
  mark: MarkAfter | undefined
}

/**
 * The tables of one hub, the result of all applied entries. Tables of the history are written only by `applyBatch`, `applyUnsettled` and
 * `replay`; this hub's own tables (`local/tables.ts`) also between them. Queries read `db`.
 */
export class State implements Disposable {
  readonly db: Database
  readonly #inboxes: InboxIndex
  readonly #epochs: Epochs
  #position: Position
  #applied: Position
  /** Lead of the wall clock over the steady one, in ms. */
  #clockOffset: number

  /** Called when a reader's cursor is beyond the end of this history: the store is older than what the hub had sent. */
  onPutBack: (cursor: Cursor) => void = () => {}

  /** Opens `path`. Creates it if needed; upgrades an older schema after making a backup beside it. */
  constructor(path: string) {
    this.db = new Database(path)
    try {
      const backupDir = join(dirname(path), backupFolder)
      migrate(this.db, {
        backupDir,
        backup: schema => backupBeforeUpgrade(this.db, backupDir, schema, Date.now()),
      })
      this.db.run(`insert or ignore into position (only_row, epoch, seq, time, steady) values (1, '', 0, 0, 0)`)
      this.#position = this.db.get<Position>(
        'select epoch, seq, time, steady, log_offset as offset, log_hash as hash, outcomes from position',
      )!
      this.#applied = this.#position
      this.#clockOffset = currentOffset(this.db)
      this.#inboxes = new InboxIndex(this.db)
      this.#epochs = new Epochs(this.db, this.#position.epoch)
    } catch (error) {
      this.db.close()
      throw error
    }
  }

  /** The position that is on disk, which queries read. */
  get position(): Position {
    return this.#position
  }

  /** The position including entries of `applyUnsettled` that are not on disk yet. */
  get applied(): Position {
    return this.#applied
  }

  /** Names the history `epoch` from here on; see `local/epochs.ts`. Throws on a storage error other than a full disk. */
  enterEpoch(epoch: string): void {
    this.#epochs.enter(epoch, this.#applied.seq)
    const { known } = this.#epochs
    this.#position = { ...this.#position, epoch: known }
    this.#applied = { ...this.#applied, epoch: known }
  }

  /**
   * Continues this store's history in the log `own.name`, under the name `epoch`; at `mark` where the log begins with this store. On disk
   * when it returns. Throws on any storage error, even a full disk: the state must not be used after that.
   */
  joinLog(epoch: string, own: OwnLog, mark: Pick<Mark, 'offset' | 'hash'> = this.#applied): void {
    const { offset, hash } = mark
    if (epoch !== this.#applied.epoch) this.#epochs.begin(epoch, this.#applied.seq)
    this.db.transaction(() => {
      this.#epochs.save()
      this.db.run('update position set log_offset = ?, log_hash = ?', offset, hash)
      saveOwnLog(this.db, own)
    })
    this.#epochs.saved()
    this.#applied = { ...this.#applied, epoch, offset, hash }
    this.#position = this.#applied
  }

  /**
   * Returns the seq after which a reader with `cursor` continues; undefined for a cursor of another history, with which the reader starts
   * anew.
   */
  seqOf(cursor: Cursor): number | undefined {
    const { seq } = this.#position
    if (this.#epochs.isAhead(cursor, seq)) this.onPutBack(cursor)
    return this.#epochs.seqOf(cursor, seq)
  }

  /**
   * Applies entries that were just submitted here, in one transaction; all are on disk when it returns. An entry that throws has the
   * outcome `internal`, is marked as failed, passed to `onBug`, and does not affect the others. Throws on a storage error: none of them is
   * applied then.
   */
  applyBatch(entries: readonly Entry[], onBug: OnBug, mark?: MarkAfter): Outcome[] {
    return this.#applyFirst(entries, onBug, { isSettled: true, mark })
  }

  /** Does the same, but the entries are neither on disk nor visible to queries until `settle` resolves. */
  applyUnsettled(entries: readonly Entry[], onBug: OnBug, mark?: MarkAfter): Outcome[] {
    return this.#applyFirst(entries, onBug, { isSettled: false, mark })
  }

  /** Syncs the applied entries without blocking this thread. Rejects on a storage error. */
  async settle(): Promise<void> {
    await this.db.settle()
    this.#position = this.#applied
  }

  /**
   * Applies entries that are durable elsewhere, in one transaction. Their outcomes are settled, so one that is unknown to this program, or
   * throws here, is not skipped: this throws `CannotReplay`, and none of them is applied.
   */
  replay(entries: readonly Entry[], mark?: MarkAfter): Outcome[] {
    return this.#commit(entries, entry => this.#applyAgain(entry), { isSettled: true, mark })
  }

  /** Does the work on the inbox indexes that can wait until the hub is idle. Throws on a storage error. */
  tidy(): void {
    this.#inboxes.tidy()
  }

  close(): void {
    this.db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #applyFirst(entries: readonly Entry[], onBug: OnBug, options: CommitOptions): Outcome[] {
    try {
      return this.#commit(entries, entry => apply(this.db, entry), options)
    } catch (error) {
      if (isStorageError(error)) throw error
      // An entry threw, and all were undone. They are applied again, each in a savepoint, whose price is paid only here.
      return this.#commit(entries, entry => this.#applyApart(entry, onBug), options)
    }
  }

  #commit(
    entries: readonly Entry[],
    applyOne: (entry: Entry) => Outcome,
    { isSettled, mark = this.#ownMark }: CommitOptions,
  ): Outcome[] {
    const last = entries.at(-1)
    if (!last) return []
    let clockOffset = this.#clockOffset
    let next = this.#applied
    const outcomes = this.#transaction(isSettled, () => {
      clockOffset = this.#clockOffset
      const outcomes = entries.map(entry => {
        clockOffset = recordClockStep(this.db, clockOffset, entry)
        return applyOne(entry)
      })
      this.#epochs.save()
      const { offset, hash } = mark()
      const { current: epoch } = this.#epochs
      const [time, steady] = [last.time, steadyOf(last)]
      next = {
        epoch,
        seq: last.seq,
        time,
        steady,
        offset,
        hash,
        outcomes: chainOutcomes(this.#applied.outcomes, outcomes),
      }
      this.db.run(
        'update position set seq = ?, time = ?, steady = ?, log_offset = ?, log_hash = ?, outcomes = ?',
        next.seq,
        time,
        steady,
        offset,
        hash,
        next.outcomes,
      )
      // Each recipient of a delivery is in `wake`.
      this.#inboxes.grow(outcomes.reduce((sum, outcome) => sum + (effectsOf(outcome).wake?.length ?? 0), 0))
      return outcomes
    })
    this.#epochs.saved()
    this.#clockOffset = clockOffset
    this.#applied = next
    if (isSettled) this.#position = next
    return outcomes
  }

  #transaction<T>(isSettled: boolean, work: () => T): T {
    try {
      return isSettled ? this.db.transaction(work) : this.db.unsettledTransaction(work)
    } catch (error) {
      forgetMembers(this.db)
      throw error
    }
  }

  /** The mark without a log: it counts the packs. */
  readonly #ownMark = () => ({ offset: this.#applied.offset + 1, hash: this.#applied.hash })

  #applyAgain(entry: Entry): Outcome {
    if (entry.failed) return failedHere
    try {
      return apply(this.db, entry)
    } catch (error) {
      if (isStorageError(error)) throw error
      throw new CannotReplay(entry, error)
    }
  }

  #applyApart(entry: Entry, onBug: OnBug): Outcome {
    try {
      return this.db.savepoint(() => apply(this.db, entry))
    } catch (error) {
      forgetMembers(this.db)
      if (isStorageError(error)) throw error
      entry.failed = true
      onBug(entry, error)
      return failedHere
    }
  }
}

const failedHere = refuse('internal', { code: 'failed' })

/** An entry of the history that cannot be applied with the outcome it had; the hub must not continue without it. */
export class CannotReplay extends Error {
  override name = 'CannotReplay'
  /** Advice to the admin. */
  readonly hint: string
  constructor({ seq, command }: Entry, cause: unknown) {
    const isNewer = cause instanceof NewerEntry
    super(
      isNewer
        ? `Entry ${seq} of the history was written by a newer program (${cause.message}).`
        : `Entry ${seq} of the history (${command.type}) could be applied before, and fails here: ${(cause as Error).message}`,
      { cause },
    )
    this.hint = isNewer ? 'Upgrade this hub.' : 'Report it, with the log of this hub; nothing was changed.'
  }
}

/**
 * Returns the chain of outcomes after some more: SHA-256 of the chain before and each outcome in turn, in base64. Of a refusal only the
 * code counts.
 */
function chainOutcomes(before: string, outcomes: readonly Outcome[]): string {
  let chain = before
  for (const outcome of outcomes) {
    chain = digest('sha256', chain + JSON.stringify(outcome.ok ? outcome.result : outcome.refusal.code), 'base64')
  }
  return chain
}

/** No effects, for a refusal. */
const none: Effects = {}

export function effectsOf(outcome: Outcome): Effects {
  return (outcome.ok && outcome.effects) || none
}

/**
 * Reports whether the file could not be read, written or synced. A broken constraint (19) or a wrong type (20, 25) is a bug, not a disk
 * error.
 */
export function isStorageError(error: unknown): boolean {
  if (error instanceof StoreLost || error instanceof NotSynced) return true
  const code = sqliteCode(error)
  return code !== undefined && ![1, 18, 19, 20, 25].includes(code)
}
