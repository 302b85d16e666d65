import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { type Command, entryVersion, type Outcome } from '../state/commands.ts'
import { CannotReplay, type State } from '../state/state.ts'
import { isDiskFull } from '../state/store/sqlite-errors.ts'
import { Applier } from './applier.ts'
import type { Journal, JournalListeners } from './journal.ts'
import { chained, entriesOf, HistoryError, type Log, type LogRecord, packBytes, packVersion, readPack } from './log.ts'
import { type Batch, rejectAll, stopping, takeBatch, type Waiting } from './queue.ts'
import type { SteadyClock } from './steady-clock.ts'

/** Most bytes of commands in one pack, so that it fits into one request of any log. */
const maxPackBytes = 700_000

/** Pauses between tries of an append of which nothing is known, in ms: the first, doubled each time up to the last. */
const retryMs = { first: 50, last: 1000 }

export interface LogJournalOptions {
  clock: SteadyClock
  /** How long a submitter waits for the log, in ms, before it is told `unavailable`. */
  patienceMs?: number
}

/**
 * A journal over a log that is durable elsewhere, alone or shared with other hubs: appends what is submitted here, one pack at a time,
 * and applies every pack in the order of the log. A submitter is answered once its own pack was applied here.
 */
export class LogJournal implements Journal {
  readonly clock: SteadyClock
  readonly #state: State
  readonly #log: Log
  readonly #applier: Applier
  readonly #patienceMs: number
  readonly #end = new AbortController()
  #queue: Waiting[] = []
  /** The pack that is being appended, until it was applied or given up. */
  #appending: { id: string; batch: Batch } | undefined
  #pumping: Promise<void> | undefined
  #following: Promise<void> | undefined
  #stopped: ClaudeNetError | undefined
  /** Why the journal has ended by itself. */
  #failed: Error | undefined
  #reached: { offset: number; resolve: () => void; reject: (error: Error) => void }[] = []
  #closed: Promise<void> | undefined

  private constructor(state: State, log: Log, { clock, patienceMs = 5000 }: LogJournalOptions) {
    this.clock = clock
    this.#state = state
    this.#log = log
    this.#applier = new Applier(state)
    this.#patienceMs = patienceMs
  }

  /**
   * Joins the log's history and catches up with it. Throws `HistoryError` when the log and the state are not of one history or this
   * program cannot read it, `CannotReplay` for an entry that cannot be applied; nothing of the pack in question was applied then.
   */
  static async open(state: State, log: Log, options: LogJournalOptions): Promise<LogJournal> {
    const { epoch, offset } = state.position
    if (epoch === '' && offset === 0) state.enterEpoch(log.epoch)
    else if (epoch !== log.epoch) {
      throw new HistoryError(
        `The log has the history ${log.epoch}, this store ${epoch}.`,
        "Start this hub with a snapshot of the log's history, or with the log that belongs to its store.",
      )
    }
    const last = await log.last()
    if (last < offset) {
      throw new HistoryError(
        `The log ends at ${last}, this store has applied it up to ${offset}: the log was set back.`,
        'Bring the log back, or restore a backup, which begins a new history.',
      )
    }
    const journal = new LogJournal(state, log, options)
    journal.#following = journal.#follow()
    try {
      await journal.#reach(last)
    } catch (error) {
      await journal.close()
      throw journal.#failed ?? error
    }
    return journal
  }

  start(listeners: JournalListeners): void {
    this.#applier.start(listeners)
  }

  submit<C extends Command>(command: C): Promise<Outcome<C>> {
    if (this.#stopped) return Promise.reject(this.#stopped)
    return new Promise((resolve, reject) => {
      this.#queue.push({ command, resolve: resolve as (outcome: Outcome) => void, reject })
      // After the poll phase: every request that has arrived by then is in the pack.
      this.#pumping ??= new Promise<void>(done => setImmediate(done)).then(() => this.#pump())
    })
  }

  /** The reader may come from a hub that is further on in this log. */
  readerIsAhead(): void {}

  /** An entry is applied once it is durable in the log. */
  settling(): undefined {
    return undefined
  }

  stop(why: ClaudeNetError): void {
    this.#stopped ??= why
    this.#end.abort()
    for (const { reject } of this.#reached.splice(0)) reject(why)
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #finish(): Promise<void> {
    while (this.#pumping) await this.#pumping
    this.#stopped ??= stopping()
    this.#end.abort()
    await this.#following
    await this.#log.close()
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = takeBatch(this.#queue, maxPackBytes)
      if (this.#stopped) rejectAll(batch, this.#stopped)
      else await this.#append(batch)
    }
    this.#pumping = undefined
  }

  /** Resolves once the batch was answered. Each try stands behind all that is applied here; another hub may have been faster. */
  async #append(batch: Batch): Promise<void> {
    const id = randomUUID()
    const giveUpAt = performance.now() + this.#patienceMs
    this.#appending = { id, batch }
    try {
      while (this.#appending) {
        const { offset, hash, outcomes } = this.#state.position
        const commands = batch.map(({ command }) => command)
        const after = { offset, hash, outcomes }
        const bytes = packBytes({ v: packVersion, rules: entryVersion, id, after, ...this.clock.read(), commands })
        const isThere = await this.#put(offset, bytes, giveUpAt)
        if (isThere && this.#state.position.offset === offset) this.#hear({ offset: offset + 1, bytes })
        else await this.#reach(offset + 1)
      }
    } catch (error) {
      const refusal = error instanceof ClaudeNetError ? error : (this.#stopped ?? away(error as Error))
      this.#appending = undefined
      rejectAll(batch, refusal)
    }
  }

  /** Whether these bytes are the record after `offset`. Throws when the log tells nothing until `giveUpAt`. */
  async #put(offset: number, bytes: Uint8Array, giveUpAt: number): Promise<boolean> {
    for (let pauseMs = retryMs.first; ; pauseMs = Math.min(pauseMs * 2, retryMs.last)) {
      try {
        return await this.#log.append(offset, bytes)
      } catch (error) {
        if (error instanceof HistoryError) this.#fail(error)
        // What lies there may have come back by now.
        if (this.#state.position.offset > offset) return false
        if (this.#stopped || performance.now() + pauseMs > giveUpAt) throw error
        await delay(pauseMs)
      }
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#end
    try {
      for await (const records of this.#log.follow(this.#state.position.offset, signal)) {
        for (const record of records) {
          // A full disk passes; the record waits for it in the log.
          while (!signal.aborted && !this.#hear(record))
            await delay(retryMs.last, undefined, { signal }).catch(() => {})
        }
      }
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  /** Applies a record, unless it was before or the journal has ended. Answers false on a full disk. Any other error ends the journal. */
  #hear(record: LogRecord): boolean {
    if (this.#end.signal.aborted || record.offset <= this.#state.position.offset) return true
    try {
      this.#apply(record)
      return true
    } catch (error) {
      if (!isDiskFull(error)) {
        this.#fail(error as Error)
        return true
      }
      if (this.#appending) rejectAll(this.#appending.batch, full())
      this.#appending = undefined
      this.#applier.storageFailed(error, false)
      return false
    }
  }

  #apply({ offset, bytes }: LogRecord): void {
    const { position } = this.#state
    const pack = readPack(bytes)
    if (offset !== position.offset + 1) {
      throw new HistoryError(
        `After ${position.offset} the log gave ${offset}.`,
        'Report it; nothing of it was applied.',
      )
    }
    if (pack.after && pack.after.hash !== position.hash) {
      throw new HistoryError(
        `Whoever wrote record ${offset} had read another log than this hub up to there: the log was set back, and went another way.`,
        'Start this hub with a snapshot of the history that goes on.',
      )
    }
    if (pack.after && pack.after.outcomes !== position.outcomes) {
      throw new HistoryError(
        `Whoever wrote record ${offset} had come to other outcomes than this hub.`,
        'Report it, with the stores of both; start the one that is wrong with a snapshot of the other.',
      )
    }
    const entries = entriesOf(pack, position.seq)
    const own = pack.id !== undefined && this.#appending?.id === pack.id ? this.#appending : undefined
    const mark = () => ({ offset, hash: chained(position.hash, bytes) })
    const outcomes = this.#applier.applyDurable(entries, mark, own !== undefined)
    if (own) {
      const { batch } = own
      this.#appending = undefined
      batch.forEach(({ resolve }, index) => {
        resolve(outcomes[index]!)
      })
    }
    this.#reached = this.#reached.filter(each => {
      if (each.offset > offset) return true
      each.resolve()
      return false
    })
  }

  /** Resolves once the record at `offset` is applied. Throws when the journal has ended before. */
  #reach(offset: number): Promise<void> {
    if (this.#state.position.offset >= offset) return Promise.resolve()
    if (this.#end.signal.aborted) return Promise.reject(this.#stopped)
    return new Promise((resolve, reject) => this.#reached.push({ offset, resolve, reject }))
  }

  #fail(error: Error): void {
    if (this.#failed) return
    this.#failed = error
    this.#stopped ??= error instanceof HistoryError || error instanceof CannotReplay ? apart(error) : away(error)
    this.#end.abort()
    for (const { reject } of this.#reached.splice(0)) reject(this.#stopped)
    if (this.#appending) rejectAll(this.#appending.batch, this.#stopped)
    this.#appending = undefined
    this.#applier.storageFailed(error, true)
  }
}

function away(error: Error): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    `The log of the hub could not be written: ${error.message}`,
    'Whether it was stored is not known. Send it again under the same id in a moment.',
  )
}

/** The log and this hub do not fit together; `hint` is for whoever runs it, and says what to do. */
function apart({ message, hint }: HistoryError | CannotReplay): ClaudeNetError {
  return new ClaudeNetError('unavailable', `The hub takes no messages: ${message}`, hint)
}

function full(): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    "The hub's disk is full.",
    'It may be stored already. Free space on the hub, then send it again under the same id.',
  )
}
