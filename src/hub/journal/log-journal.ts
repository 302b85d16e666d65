import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { type Command, entryVersion, type Outcome } from '../state/commands.ts'
import { allHubs, rulesInForce } from '../state/query/hubs.ts'
import { rulesNeeded, sharedRules } from '../state/rules.ts'
import { CannotReplay, type State } from '../state/state.ts'
import { isDiskFull } from '../state/store/sqlite-errors.ts'
import { Agreement, type Vote } from './agreement.ts'
import { Applier } from './applier.ts'
import type { Journal, JournalListeners } from './journal.ts'
import {
  chained,
  entriesOf,
  HistoryError,
  type Log,
  type LogRecord,
  type Pack,
  packBytes,
  packVersion,
  readPack,
} from './log.ts'
import { type Batch, rejectAll, stopping, takeBatch, type Waiting } from './queue.ts'
import type { SteadyClock } from './steady-clock.ts'

/** Most bytes of commands in one pack, so that it fits into one request of any log. */
const maxPackBytes = 700_000

/** Pauses between tries of an append of which nothing is known, in ms: the first, doubled each time up to the last. */
const retryMs = { first: 50, last: 1000 }

/** A hub that won its turn leaves the next one to others for as long as its own took, and so long at most, in ms. */
const maxTurnMs = 50

/** So many turns a hub takes, one after the other, where it cannot tell whether another waits for one. */
const maxTurns = 4

export interface LogJournalOptions {
  clock: SteadyClock
  /** What this hub is called among those of the log. Without a name it stops at the first record of a hub that has come to other outcomes. */
  hub?: string
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
  /** What is written also while the hubs do not agree. */
  #urgent: Waiting[] = []
  readonly #hub: string | undefined
  readonly #agreement: Agreement | undefined
  /** Whether another hub has written since this one did. */
  #isContended = false
  /** Packs of its own since it left a turn to others. */
  #turns = 0
  /** The pack that is being appended, until it was applied or given up. */
  #appending: { id: string; batch: Batch } | undefined
  #pumping: Promise<void> | undefined
  #following: Promise<void> | undefined
  #stopped: ClaudeNetError | undefined
  /** Why the journal has ended by itself. */
  #failed: Error | undefined
  #reached: { offset: number; resolve: () => void; reject: (error: Error) => void }[] = []
  #closed: Promise<void> | undefined

  private constructor(state: State, log: Log, { clock, hub, patienceMs = 5000 }: LogJournalOptions) {
    this.clock = clock
    this.#state = state
    this.#log = log
    this.#applier = new Applier(state)
    this.#patienceMs = patienceMs
    this.#hub = hub
    this.#agreement =
      hub === undefined
        ? undefined
        : new Agreement({
            name: hub,
            hubs: () => allHubs(state.db).map(({ name }) => name),
            vote: vote => this.#vote({ hub, ...vote }),
            onVerdict: () => this.#decided(),
          })
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
    const rules = rulesInForce(state.db)
    if (rules > entryVersion) {
      throw new HistoryError(
        `The hubs of this history write by rules of version ${rules}; this program knows ${entryVersion} at most.`,
        'Upgrade this hub.',
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
      journal.#agreement?.caughtUp()
      if (journal.#failed) throw journal.#failed
      options.clock.joined(state.position)
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
    const refusal = this.#stopped ?? this.#refusalOf(command)
    if (refusal) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      const queue = isUrgent(command) ? this.#urgent : this.#queue
      queue.push({ command, resolve: resolve as (outcome: Outcome) => void, reject })
      this.#startPump()
    })
  }

  get apart(): string | undefined {
    return this.#agreement?.verdict === 'tied' ? tied(this.#agreement).message : undefined
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
    this.#agreement?.close()
    rejectAll(this.#queue.splice(0), this.#stopped)
    this.#end.abort()
    await this.#following
    await this.#log.close()
  }

  #startPump(): void {
    // After the poll phase: every request that has arrived by then is in the pack.
    this.#pumping ??= new Promise<void>(done => setImmediate(done)).then(() => this.#pump())
  }

  async #pump(): Promise<void> {
    while (this.#urgent.length > 0 || (this.#queue.length > 0 && !this.#isHeld)) {
      const batch = takeBatch(this.#urgent.length > 0 ? this.#urgent : this.#queue, maxPackBytes)
      if (this.#stopped) rejectAll(batch, this.#stopped)
      else await this.#append(batch)
    }
    this.#pumping = undefined
  }

  /** Whether what is submitted waits until it is known with whom the other hubs agree. */
  get #isHeld(): boolean {
    return this.#agreement?.verdict === 'open' && !this.#stopped
  }

  /** Resolves once the batch was answered, or waits again. Each try stands behind all that is applied here; another hub may have been faster. */
  async #append(batch: Batch): Promise<void> {
    const id = randomUUID()
    const giveUpAt = performance.now() + this.#patienceMs
    this.#appending = { id, batch }
    try {
      while (this.#appending) {
        if (!isUrgent(batch[0]!.command)) {
          if (this.#agreement?.verdict === 'tied') throw tied(this.#agreement)
          if (this.#isHeld) {
            this.#appending = undefined
            this.#queue.unshift(...batch)
            return
          }
        }
        if (performance.now() > giveUpAt) throw busy()
        const startedAt = performance.now()
        const { offset, hash, outcomes } = this.#state.position
        const commands = batch.map(({ command }) => this.#asOfNow(command))
        const after = { offset, hash, outcomes }
        const rules = rulesInForce(this.#state.db)
        const pack: Pack = { v: packVersion, rules, id, by: this.#hub, after, ...this.clock.read(), commands }
        const bytes = packBytes(pack)
        const isThere = await this.#put(offset, bytes, giveUpAt)
        if (isThere && this.#state.position.offset === offset) this.#hear({ offset: offset + 1, bytes })
        else await this.#reach(offset + 1)
        if (isThere) await this.#leaveTurn(performance.now() - startedAt)
      }
    } catch (error) {
      const refusal = error instanceof ClaudeNetError ? error : (this.#stopped ?? away(error as Error))
      this.#appending = undefined
      rejectAll(batch, refusal)
    }
  }

  /** Where other hubs write, or may want to, the one that was just faster waits: so each of them has its turn soon. */
  async #leaveTurn(ms: number): Promise<void> {
    this.#turns++
    const isDue = this.#turns >= maxTurns && this.#hub !== undefined && allHubs(this.#state.db).length > 1
    if (!this.#isContended && !isDue) return
    this.#isContended = false
    this.#turns = 0
    await delay(Math.min(ms, maxTurnMs))
  }

  /** Why this command cannot be taken now; undefined where it can. */
  #refusalOf(command: Command): ClaudeNetError | undefined {
    if (this.#agreement?.verdict === 'tied' && !isUrgent(command)) return tied(this.#agreement)
    const needed = rulesNeeded(command)
    if (needed <= sharedRules || needed <= rulesInForce(this.#state.db)) return undefined
    return new ClaudeNetError(
      'unavailable',
      'Not all hubs of this history know this yet.',
      'It can be used once each of them is upgraded: claude-net hubs shows which are not.',
    )
  }

  /** A vote counts all that was read before its place in the log, so that of two hubs the later one tells whether they differ. */
  #asOfNow(command: Command): Command {
    return command.type === 'hub.vote' ? { ...command, differs: this.#agreement?.differing ?? [] } : command
  }

  #vote(vote: Vote & { hub: string }): void {
    // Where the log takes nothing, nothing else is written either; the others decide by what they know.
    this.submit({ type: 'hub.vote', ...vote }).catch(() => {})
  }

  /** It is known with whom the other hubs agree, or not known any more. */
  #decided(): void {
    const agreement = this.#agreement!
    if (agreement.verdict === 'apart') this.#fail(outvoted(agreement))
    if (agreement.verdict === 'tied') rejectAll(this.#queue.splice(0), tied(agreement))
    if (this.#queue.length > 0) this.#startPump()
    this.#applier.agreed(agreement.verdict, agreement.differing)
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
    const agrees = pack.after === undefined || pack.after.outcomes === position.outcomes
    if (!agrees && (!this.#agreement || pack.by === undefined)) {
      throw new HistoryError(
        `Whoever wrote record ${offset} had come to other outcomes than this hub.`,
        'Report it, with the stores of both; start the one that is wrong with a snapshot of the other.',
      )
    }
    this.#compare(pack, agrees)
    if (this.#failed) return
    const entries = entriesOf(pack, position.seq)
    const own = pack.id !== undefined && this.#appending?.id === pack.id ? this.#appending : undefined
    const mark = () => ({ offset, hash: chained(position.hash, bytes) })
    const outcomes = this.#applier.applyDurable(entries, mark, own !== undefined)
    this.clock.applied(pack)
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

  /** Takes in what the writer of a record has said of where it stands, before the record is applied. */
  #compare({ by, commands }: Pack, agrees: boolean): void {
    if (!this.#agreement || by === undefined) return
    if (by !== this.#hub) this.#isContended = true
    const isQuiet = agrees && this.#agreement.verdict === 'agrees'
    // A vote asks whoever agrees, too.
    const vote = isUrgent(commands[0]!) ? commands.find(command => command.type === 'hub.vote') : undefined
    if (!isQuiet || vote) this.#agreement.saw(by, agrees, vote)
    for (const command of isQuiet ? [] : commands)
      if (command.type === 'hub.forget') this.#agreement.forgot(command.name)
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
    rejectAll(this.#queue.splice(0), this.#stopped)
    this.#agreement?.close()
    this.#applier.storageFailed(error, true)
  }
}

/** What is written also while hubs do not agree: by it they find out who is wrong. */
function isUrgent({ type }: Command): boolean {
  return type === 'hub.vote' || type === 'hub.forget'
}

/** Nothing of it was stored: another's record lay in each place that was tried. */
function busy(): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    'The other hubs of this history write so much that this one had no turn.',
    'Nothing was stored. Try again in a moment.',
  )
}

function outvoted({ differing }: Agreement): HistoryError {
  return new HistoryError(
    `This hub has come to other outcomes than ${differing.join(', ')}, and more hubs agree with those than with this one.`,
    'Report it, with its store and one of theirs; then start this hub with a snapshot of another.',
  )
}

function tied({ differing }: Agreement): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    `This hub takes no messages: it has come to other outcomes than ${differing.join(', ')}, and as many hubs agree with one side as with the other.`,
    'Its admin finds out which side is wrong, stops those hubs, and starts them with a snapshot of another: claude-net hubs',
  )
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
