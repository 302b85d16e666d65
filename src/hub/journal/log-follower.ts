import { setTimeout as delay } from 'node:timers/promises'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import type { Outcome } from '../state/commands.ts'
import type { State } from '../state/state.ts'
import { isDiskFull } from '../state/store/sqlite-errors.ts'
import { type Agreement, isUrgent } from './agreement.ts'
import type { Applier } from './applier.ts'
import { chained, entriesOf, HistoryError, type Log, type LogRecord, type Pack, readPack } from './log.ts'
import type { SteadyClock } from './steady-clock.ts'

/** Pause before a record that did not fit on a full disk is applied again, in ms. */
const retryMs = 1000

export interface LogFollowerOptions {
  state: State
  log: Log
  applier: Applier
  clock: SteadyClock
  /** Name of this hub in the log, and its view of the others; both undefined for a hub without a name. */
  hub: string | undefined
  agreement: Agreement | undefined
  /** Reports whether the journal is appending the pack with this id. */
  isOwn: (id: string) => boolean
  /** Called once such a pack is applied, with the outcomes of its commands. */
  onOwnApplied: (outcomes: readonly Outcome[]) => void
  /** Called for each record of another hub, before it is applied. */
  onOther: () => void
  /** Called when the disk is full; the record is applied again later. */
  onDiskFull: (error: unknown) => void
  /** Called on any other error. The caller is to `end` the follower. */
  onFailure: (error: Error) => void
}

/** Reads the records of a log in order, checks that they continue this hub's history, and applies them. */
export class LogFollower {
  readonly #options: LogFollowerOptions
  readonly #end = new AbortController()
  #waiting: { offset: number; resolve: () => void; reject: (error: Error) => void }[] = []
  #following: Promise<void> | undefined
  #ended: ClaudeNetError | undefined

  constructor(options: LogFollowerOptions) {
    this.#options = options
  }

  start(): void {
    this.#following = this.#follow()
  }

  /** Resolves once the record at `offset` is applied. Rejects when the follower has ended before. */
  reach(offset: number): Promise<void> {
    if (this.#options.state.position.offset >= offset) return Promise.resolve()
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => this.#waiting.push({ offset, resolve, reject }))
  }

  /** Stops applying records, and rejects callers of `reach` that wait with `why`. */
  end(why: ClaudeNetError): void {
    this.#ended ??= why
    this.#end.abort()
    for (const { reject } of this.#waiting.splice(0)) reject(why)
  }

  /** Resolves once the log is no longer read, after `end`. */
  async ended(): Promise<void> {
    await this.#following
  }

  async #follow(): Promise<void> {
    const { log, state, onFailure } = this.#options
    const { signal } = this.#end
    try {
      for await (const records of log.follow(state.position.offset, signal)) {
        for (const record of records) {
          while (!signal.aborted && !this.take(record)) await delay(retryMs, undefined, { signal }).catch(() => {})
        }
      }
    } catch (error) {
      onFailure(error as Error)
    }
  }

  /**
   * Applies a record, unless it was applied before or the follower has ended. Returns false on a full disk; any other error goes to
   * `onFailure`.
   */
  take(record: LogRecord): boolean {
    const { state, onDiskFull, onFailure } = this.#options
    if (this.#end.signal.aborted || record.offset <= state.position.offset) return true
    try {
      this.#apply(record)
      return true
    } catch (error) {
      if (!isDiskFull(error)) {
        onFailure(error as Error)
        return true
      }
      onDiskFull(error)
      return false
    }
  }

  #apply({ offset, bytes }: LogRecord): void {
    const { state, applier, clock, isOwn, onOwnApplied } = this.#options
    const { position } = state
    const pack = readPack(bytes)
    const agrees = this.#fits(offset, pack)
    this.#compare(pack, agrees)
    if (this.#end.signal.aborted) return
    const own = pack.id !== undefined && isOwn(pack.id)
    const mark = () => ({ offset, hash: chained(position.hash, bytes) })
    const outcomes = applier.applyDurable(entriesOf(pack, position.seq), mark, own)
    clock.applied(pack)
    if (own) onOwnApplied(outcomes)
    this.#waiting = this.#waiting.filter(each => {
      if (each.offset > offset) return true
      each.resolve()
      return false
    })
  }

  /**
   * Reports whether the writer of the pack at `offset` had come to the same outcomes as this hub. Throws `HistoryError` when the pack does
   * not continue this hub's history, and when a difference of outcomes cannot be settled by votes.
   */
  #fits(offset: number, pack: Pack): boolean {
    const { position } = this.#options.state
    if (offset !== position.offset + 1) {
      throw new HistoryError(
        `After ${position.offset} the log gave ${offset}.`,
        'Report it; nothing of it was applied.',
      )
    }
    if (pack.after && pack.after.hash !== position.hash) {
      throw new HistoryError(
        `The writer of record ${offset} had read another log up to there than this hub: the log was set back, and then continued differently.`,
        'Start this hub with a snapshot of the history that continues.',
      )
    }
    const agrees = pack.after === undefined || pack.after.outcomes === position.outcomes
    if (!agrees && (!this.#options.agreement || pack.by === undefined)) {
      throw new HistoryError(
        `The writer of record ${offset} had come to other outcomes than this hub.`,
        'Report it, with the stores of both; start the one that is wrong with a snapshot of the other.',
      )
    }
    return agrees
  }

  /** Passes to `agreement` what a record says about its writer, before the record is applied. */
  #compare({ by, commands }: Pack, agrees: boolean): void {
    const { agreement, hub, onOther } = this.#options
    if (!agreement || by === undefined) return
    if (by !== hub) onOther()
    const isQuiet = agrees && agreement.verdict === 'agrees'
    // A vote may ask hubs that agree for theirs, too.
    const vote = isUrgent(commands[0]!) ? commands.find(command => command.type === 'hub.vote') : undefined
    if (!isQuiet || vote) agreement.saw(by, agrees, vote)
    for (const command of isQuiet ? [] : commands) if (command.type === 'hub.forget') agreement.forgot(command.name)
  }
}
