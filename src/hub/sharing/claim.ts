import { randomUUID } from 'node:crypto'
import { uptime } from 'node:os'
import type { Commit } from '../journal/journal.ts'
import type { Command, CommandOf, ResultOf } from '../state/commands.ts'
import { type ClaimRow, claimOf } from '../state/query/claims.ts'
import type { Database } from '../state/store/database.ts'
import type { Duty } from './duty.ts'

type ClaimCommand = CommandOf<'door.claim'>

/** A holder renews its claim so often, in ms. */
const renewMs = 3000

/** A holder acts for so long after it asked for the renewal that counted, in ms: the others see that renewal later than it was asked for. */
const actMs = 8000

/** Another hub may take a claim over when it has seen no renewal for so long, in ms. */
const endMs = 10_000

/** How long a hub that stops waits for the log to take the end of its claim, in ms. */
const farewellMs = 2000

/** What a claim is carried out with. */
export interface ClaimParts {
  db: Database
  submit(command: Command): Promise<unknown>
}

export interface ClaimOptions {
  /** What this hub is called among the others. */
  hub: string
  /** A clock that never steps and also counts the time that this host is suspended, in ms from any origin. */
  now?: () => number
  /** How often the claim is looked at, in ms. */
  lookMs?: number
}

/**
 * The duty of a hub that shares its history: it is this hub's while its own claim, an entry of the history, is in force. Every hub judges
 * by its own clock how old the newest renewal is that it has applied, never by the time of an entry. What a claim replaces is compared in
 * `apply/claims.ts`, so there is one claim at a time, and the margin between `actMs` and `endMs` keeps a holder that cannot renew from acting
 * beside its successor. What
 * it has asked of Telegram, or of a receiver of webhooks, before that moment may still be carried out.
 */
export class Claim implements Duty {
  readonly #hub: string
  readonly #run = randomUUID()
  readonly #now: () => number
  readonly #lookMs: number
  readonly #listeners = new Set<() => void>()
  #parts: ClaimParts | undefined
  #timer: NodeJS.Timeout | undefined
  /** The newest claim that counts, and when this hub has applied it. */
  #newest: (ClaimRow & { seenAt: number }) | undefined
  /** The process of this hub that held the claim when this one began: it has ended. */
  #before: string | undefined
  /** What was asked for last, and when for the first time: each try may have reached the log. */
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

  /** Begins to claim. To be called once the hub takes commands; `committed` may have been called before. */
  start(parts: ClaimParts): void {
    this.#parts = parts
    const row = claimOf(parts.db)
    this.#newest = row && { ...row, seenAt: this.#now() }
    if (row?.hub === this.#hub) this.#before = row.run
    this.#timer = setInterval(() => this.look(), this.#lookMs).unref()
    this.look()
  }

  /** A batch is applied here: it may have a claim in it. */
  committed({ entries, outcomes }: Commit): void {
    entries.forEach(({ seq, command }, index) => {
      if (command.type !== 'door.claim') return
      const outcome = outcomes[index]!
      if (outcome.ok && (outcome.result as ResultOf<ClaimCommand>).counts) this.#counts(seq, command)
    })
  }

  /** Tells whoever listens when the claim has run out, and claims or renews when it is time to. */
  look(): void {
    this.#tell()
    if (!this.#parts || this.#isClosed || this.#asking || !this.#isTime()) return
    this.#asking = this.#ask(this.#parts).finally(() => {
      this.#asking = undefined
    })
  }

  /** Ends the claim, so that another hub takes it over at once. This hub has ended to act by then. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#isClosed = true
    this.#tell()
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
      // The others wait until it has run out.
    }
  }

  #counts(seq: number, { hub, run, replaces, ends }: ClaimCommand): void {
    // Where it has run out in between, whoever acts ends that and begins anew.
    this.#tell()
    this.#newest = { hub, run, seq, ended: ends ? 1 : 0, seenAt: this.#now() }
    const isOwn = run === this.#run && !ends && this.#asked?.replaces === replaces
    this.#mineUntil = isOwn ? this.#asked!.at + actMs : Number.NEGATIVE_INFINITY
    this.#tell()
    // After the batch was told to everyone.
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
      // It may have reached the log all the same, and counts when it is applied; the next look tries again.
    }
  }

  #command(replaces: number): ClaimCommand {
    return { type: 'door.claim', hub: this.#hub, run: this.#run, replaces }
  }

  #tell(): void {
    const { isMine } = this
    if (isMine === this.#wasMine) return
    this.#wasMine = isMine
    for (const listener of this.#listeners) listener()
  }
}
