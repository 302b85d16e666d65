import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { type Command, entryVersion, type Outcome } from '../state/commands.ts'
import { allHubs, rulesInForce } from '../state/query/hubs.ts'
import { rulesNeeded, sharedRules } from '../state/rules.ts'
import { CannotReplay, type State } from '../state/state.ts'
import { Agreement, isUrgent, type Vote } from './agreement.ts'
import { Applier } from './applier.ts'
import type { Journal, JournalListeners } from './journal.ts'
import { HistoryError, type Log, type Pack, packBytes, packVersion } from './log.ts'
import { LogFollower } from './log-follower.ts'
import { diskFull, noTurn, notWritten, notYetInForce, outvoted, tied, unfit } from './log-journal-refusals.ts'
import { type Batch, rejectAll, stopping, takeBatch, type Waiting } from './queue.ts'
import type { SteadyClock } from './steady-clock.ts'
import { Turns } from './turns.ts'

/** Most bytes of commands in one pack, so that it fits into one request of any log. */
const maxPackBytes = 700_000

/** Pauses between retries of an append whose result is not known, in ms: the first, doubled each time up to the last. */
const retryMs = { first: 50, last: 1000 }

export interface LogJournalOptions {
  clock: SteadyClock
  /** Name of this hub in the log. Without one it stops at the first record of a hub with different outcomes. */
  hub?: string
  /** Time a submitter waits for the log before it is refused with `unavailable`, in ms. */
  patienceMs?: number
}

/**
 * A journal over a log that is durable elsewhere, alone or shared with other hubs: appends what is submitted here, one pack at a time,
 * and applies every pack in the order of the log (`LogFollower`). A submitter gets its outcome once its own pack is applied here.
 */
export class LogJournal implements Journal {
  readonly clock: SteadyClock
  readonly #state: State
  readonly #log: Log
  readonly #applier: Applier
  readonly #patienceMs: number
  readonly #hub: string | undefined
  readonly #agreement: Agreement | undefined
  readonly #follower: LogFollower
  #queue: Waiting[] = []
  /** Commands that are written even while the hubs disagree. */
  #urgent: Waiting[] = []
  readonly #turns: Turns
  /** The pack that is being appended, until it is applied or given up. */
  #appending: { id: string; batch: Batch } | undefined
  #pumping: Promise<void> | undefined
  #stopped: ClaudeNetError | undefined
  /** Error that ended the journal. */
  #failed: Error | undefined
  #closed: Promise<void> | undefined

  private constructor(state: State, log: Log, { clock, hub, patienceMs = 5000 }: LogJournalOptions) {
    this.clock = clock
    this.#state = state
    this.#log = log
    this.#applier = new Applier(state)
    this.#patienceMs = patienceMs
    this.#hub = hub
    this.#turns = new Turns(() => hub !== undefined && allHubs(state.db).length > 1)
    this.#agreement =
      hub === undefined
        ? undefined
        : new Agreement({
            name: hub,
            hubs: () => allHubs(state.db).map(({ name }) => name),
            vote: vote => this.#vote({ hub, ...vote }),
            onVerdict: () => this.#decided(),
          })
    this.#follower = new LogFollower({
      state,
      log,
      applier: this.#applier,
      clock,
      hub,
      agreement: this.#agreement,
      isOwn: id => this.#appending?.id === id,
      onOwnApplied: outcomes => this.#resolveOwn(outcomes),
      onOther: () => this.#turns.othersWrote(),
      onDiskFull: error => {
        this.#rejectOwn(diskFull())
        this.#applier.storageFailed(error, false)
      },
      onFailure: error => this.#fail(error),
    })
  }

  /**
   * Joins the log's history and catches up with it. Throws `HistoryError` when the log and the state belong to different histories or this
   * program cannot read the log, `CannotReplay` for an entry that cannot be applied; nothing of that entry's pack is applied then.
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
        'Restore the log, or restore a backup of the hub, which begins a new history.',
      )
    }
    const journal = new LogJournal(state, log, options)
    journal.#follower.start()
    try {
      await journal.#follower.reach(last)
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

  /** Does nothing: the reader may come from a hub that has applied more of this log. */
  readerIsAhead(): void {}

  /** Returns undefined: an entry is applied only once it is durable in the log. */
  settling(): undefined {
    return undefined
  }

  stop(why: ClaudeNetError): void {
    this.#stopped ??= why
    this.#follower.end(why)
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
    this.#follower.end(this.#stopped)
    await this.#follower.ended()
    await this.#log.close()
  }

  #startPump(): void {
    // setImmediate runs after the poll phase: every request that has arrived by then is in the pack.
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

  /** Whether commands wait until it is known which side the other hubs agree with. */
  get #isHeld(): boolean {
    return this.#agreement?.verdict === 'open' && !this.#stopped
  }

  /**
   * Resolves once the batch has its outcomes, is rejected, or is back in the queue. Each attempt appends after everything applied here; if
   * another hub was faster, its record is applied first.
   */
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
        if (performance.now() > giveUpAt) throw noTurn()
        const startedAt = performance.now()
        const { offset, hash, outcomes } = this.#state.position
        const commands = batch.map(({ command }) => this.#updated(command))
        const after = { offset, hash, outcomes }
        const rules = rulesInForce(this.#state.db)
        const pack: Pack = { v: packVersion, rules, id, by: this.#hub, after, ...this.clock.read(), commands }
        const bytes = packBytes(pack)
        const isAppended = await this.#put(offset, bytes, giveUpAt)
        if (isAppended && this.#state.position.offset === offset) this.#follower.take({ offset: offset + 1, bytes })
        else await this.#follower.reach(offset + 1)
        if (isAppended) await this.#turns.yieldAfter(performance.now() - startedAt)
      }
    } catch (error) {
      const refusal = error instanceof ClaudeNetError ? error : (this.#stopped ?? notWritten(error as Error))
      this.#appending = undefined
      rejectAll(batch, refusal)
    }
  }

  #resolveOwn(outcomes: readonly Outcome[]): void {
    const { batch } = this.#appending!
    this.#appending = undefined
    batch.forEach(({ resolve }, index) => {
      resolve(outcomes[index]!)
    })
  }

  #rejectOwn(refusal: ClaudeNetError): void {
    if (this.#appending) rejectAll(this.#appending.batch, refusal)
    this.#appending = undefined
  }

  /** Returns the reason why this command cannot be accepted now; undefined when it can. */
  #refusalOf(command: Command): ClaudeNetError | undefined {
    if (this.#agreement?.verdict === 'tied' && !isUrgent(command)) return tied(this.#agreement)
    const needed = rulesNeeded(command)
    if (needed <= sharedRules || needed <= rulesInForce(this.#state.db)) return undefined
    return notYetInForce()
  }

  /** Updates a vote with all that was read before its position in the log, so that of two hubs the later one detects a difference. */
  #updated(command: Command): Command {
    return command.type === 'hub.vote' ? { ...command, differs: this.#agreement?.differing ?? [] } : command
  }

  #vote(vote: Vote & { hub: string }): void {
    // A log that accepts no vote accepts no commands either; the other hubs decide by what they have read.
    this.submit({ type: 'hub.vote', ...vote }).catch(() => {})
  }

  /** Acts on a changed verdict. */
  #decided(): void {
    const agreement = this.#agreement!
    if (agreement.verdict === 'apart') this.#fail(outvoted(agreement))
    if (agreement.verdict === 'tied') rejectAll(this.#queue.splice(0), tied(agreement))
    if (this.#queue.length > 0) this.#startPump()
    this.#applier.agreed(agreement.verdict, agreement.differing)
  }

  /** Appends with retries; returns whether these bytes are the record after `offset`. Throws when that is not known by `giveUpAt`. */
  async #put(offset: number, bytes: Uint8Array, giveUpAt: number): Promise<boolean> {
    for (let pauseMs = retryMs.first; ; pauseMs = Math.min(pauseMs * 2, retryMs.last)) {
      try {
        return await this.#log.append(offset, bytes)
      } catch (error) {
        if (error instanceof HistoryError) this.#fail(error)
        // A record may have been appended there, read and applied meanwhile.
        if (this.#state.position.offset > offset) return false
        if (this.#stopped || performance.now() + pauseMs > giveUpAt) throw error
        await delay(pauseMs)
      }
    }
  }

  /** Ends the journal permanently. */
  #fail(error: Error): void {
    if (this.#failed) return
    this.#failed = error
    this.#stopped ??= error instanceof HistoryError || error instanceof CannotReplay ? unfit(error) : notWritten(error)
    this.#follower.end(this.#stopped)
    this.#rejectOwn(this.#stopped)
    rejectAll(this.#queue.splice(0), this.#stopped)
    this.#agreement?.close()
    this.#applier.storageFailed(error, true)
  }
}
