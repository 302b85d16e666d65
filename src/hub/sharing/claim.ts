import { randomUUID } from 'node:crypto'
import { uptime } from 'node:os'
import type { Commit } from '../journal/journal.ts'
import type { Command, CommandOf, ResultOf } from '../state/commands.ts'
import { type ClaimRow, claimOf } from '../state/query/claims.ts'
import type { Database } from '../state/store/database.ts'
import type { Duty } from './duty.ts'

type ClaimCommand = CommandOf<'door.claim'>

/** Interval at which the holder renews its claim, in ms. */
const renewMs = 3000

/**
 * Time for which a holder acts after it requested its last effective renewal, in ms. The other hubs count from when they apply that
 * renewal, which is later.
 */
const actMs = 8000

/** Time without a renewal after which another hub may take over the claim, in ms. */
const endMs = 10_000

/** Time that a stopping hub waits for the log to accept the end of its claim, in ms. */
const farewellMs = 2000

/** The store to read claims from, and the way to submit them. */
export interface ClaimParts {
  db: Database
  submit(command: Command): Promise<unknown>
}

export interface ClaimOptions {
  /** Name of this hub among those of its history. */
  hub: string
  /** Monotonic clock that also counts suspended time, in ms from any origin. */
  now?: () => number
  /** Interval at which the claim is checked, in ms. */
  lookMs?: number
}

/**
 * The duty of a hub that shares its history: held while its own claim, an entry of the history, is in force. Each hub measures the age of
 * the newest renewal by its own clock, from when it applied it, never by the time of an entry. `apply/claims.ts` compares what a claim
 * replaces, so there is one claim at a time; the margin between `actMs` and `endMs` stops a holder that cannot renew before its successor
 * starts. A request that it sent to Telegram or to a webhook's receiver before that may still take effect.
 */
export class Claim implements Duty {
  readonly #hub: string
  readonly #run = randomUUID()
  readonly #now: () => number
  readonly #lookMs: number
  readonly #listeners = new Set<() => void>()
  #parts: ClaimParts | undefined
  #timer: NodeJS.Timeout | undefined
  /** The newest effective claim, and when this hub applied it. */
  #newest: (ClaimRow & { seenAt: number }) | undefined
  /** The previous process of this hub, if it held the claim at the start: it has ended. */
  #before: string | undefined
  /** The last claim submitted, and when first: each attempt may have reached the log. */
  #asked: { replaces: number; at: number } | undefined
  #asking: Promise<void> | undefined
  #mineUntil = Number.NEGATIVE_INFINITY
  #wasMine = false
  #isClosed = false

  constructor({ hub, now = () => uptime() * 1000, lookMs = 1000 }: ClaimOptions) {
    this.#hub = hub
    this.#now = now
    this.#lookMs = lookMs
  }

  get isMine(): boolean {
    return !this.#isClosed && this.#now() < this.#mineUntil
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Starts claiming. Call it once the hub accepts commands; `committed` may have been called before. */
  start(parts: ClaimParts): void {
    this.#parts = parts
    const row = claimOf(parts.db)
    this.#newest = row && { ...row, seenAt: this.#now() }
    if (row?.hub === this.#hub) this.#before = row.run
    this.#timer = setInterval(() => this.look(), this.#lookMs).unref()
    this.look()
  }

  /** Looks for claims in an applied batch. */
  committed({ entries, outcomes }: Commit): void {
    entries.forEach(({ seq, command }, index) => {
      if (command.type !== 'door.claim') return
      const outcome = outcomes[index]!
      if (outcome.ok && (outcome.result as ResultOf<ClaimCommand>).counts) this.#counts(seq, command)
    })
  }

  /** Notifies the listeners if the claim has expired, and submits a claim or renewal if one is due. */
  look(): void {
    this.#notify()
    if (!this.#parts || this.#isClosed || this.#asking || !this.#isTime()) return
    this.#asking = this.#ask(this.#parts).finally(() => {
      this.#asking = undefined
    })
  }

  /** Ends the claim, so that another hub takes it over at once. This hub has stopped acting by then. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#isClosed = true
    this.#notify()
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(late.resolve, farewellMs)
    await Promise.race([this.#release(), late.promise])
    clearTimeout(timer)
  }

  async #release(): Promise<void> {
    await this.#asking
    const newest = this.#newest
    if (newest?.run !== this.#run || newest.ended) return
    try {
      await this.#parts?.submit({ ...this.#command(newest.seq), ends: true })
    } catch {
      // The others wait until it expires.
    }
  }

  #counts(seq: number, { hub, run, replaces, ends }: ClaimCommand): void {
    // If it expired meanwhile, the listeners have to stop before they start again.
    this.#notify()
    this.#newest = { hub, run, seq, ended: ends ? 1 : 0, seenAt: this.#now() }
    const isOwn = run === this.#run && !ends && this.#asked?.replaces === replaces
    this.#mineUntil = isOwn ? this.#asked!.at + actMs : Number.NEGATIVE_INFINITY
    this.#notify()
    // After all listeners have received the batch.
    if (ends) setImmediate(() => this.look())
  }

  #isTime(): boolean {
    const newest = this.#newest
    if (!newest || newest.ended || newest.run === this.#before) return true
    const now = this.#now()
    if (newest.run === this.#run) return now - (this.#mineUntil - actMs) >= renewMs
    return now - newest.seenAt >= endMs
  }

  async #ask({ submit }: ClaimParts): Promise<void> {
    const replaces = this.#newest?.seq ?? 0
    if (this.#asked?.replaces !== replaces) this.#asked = { replaces, at: this.#now() }
    try {
      await submit(this.#command(replaces))
    } catch {
      // It may have reached the log, and counts once it is applied; otherwise the next check retries.
    }
  }

  #command(replaces: number): ClaimCommand {
    return { type: 'door.claim', hub: this.#hub, run: this.#run, replaces }
  }

  #notify(): void {
    const { isMine } = this
    if (isMine === this.#wasMine) return
    this.#wasMine = isMine
    for (const listener of this.#listeners) listener()
  }
}
