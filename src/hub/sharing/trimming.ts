import type { Log } from '../journal/log.ts'
import type { Duty } from './duty.ts'

/** How often it is looked what can go, in ms, and how often the room of what has gone is given back. */
const lookMs = 60_000
const compactMs = 300_000

/** How long a hub that is away may come back to a log that goes on behind its snapshot, in ms. */
const awayMs = 3_600_000

export interface TrimmingOptions {
  log: Pick<Log, 'first' | 'trim'>
  /** The room of whatever holds the log; see `EtcdRoom`. */
  room: { isFull(): Promise<boolean>; make(): Promise<void> }
  duty: Pick<Duty, 'isMine'>
  /** The hubs of the history, and the offset at which the kept snapshot of each stands, 0 without one. */
  hubs: () => readonly { name: string; snapshot: number }[]
  isLive: (name: string) => boolean
  /** Makes a snapshot of this hub. */
  makeBackup: () => Promise<unknown>
  /** Called when the log has no room left, and when it has again. */
  onFull: (isFull: boolean) => void
  onTrimmed: (upTo: number) => void
  onError: (error: unknown) => void
  /** A clock that never steps, in ms. */
  monotonic?: () => number
  /** How often it is looked what can go, in ms; `lookMs` where it is not said. */
  everyMs?: number
}

/**
 * Keeps the log short: the hub with the duty forgets the records below the oldest snapshot of all hubs that are there, or were an hour ago.
 * When there is no room left nobody can hold the duty; each hub then makes a snapshot and room.
 */
export class Trimming {
  readonly #options: TrimmingOptions
  readonly #monotonic: () => number
  readonly #awaySince = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #compactedAt = -Infinity
  #isFull = false
  /** The error that was told last. */
  #told: string | undefined
  #looking: Promise<void> | undefined

  constructor(options: TrimmingOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#timer = setInterval(() => void this.look(), options.everyMs ?? lookMs).unref()
  }

  /** Looks now. Resolves when what could be done is done; never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .then(
        () => {
          this.#told = undefined
        },
        error => {
          if (error.message !== this.#told) this.#options.onError(error)
          this.#told = error.message
        },
      )
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#looking
  }

  async #look(): Promise<void> {
    const { log, room, duty, makeBackup, onFull, onTrimmed } = this.#options
    const isFull = await room.isFull()
    if (isFull !== this.#isFull) onFull(isFull)
    this.#isFull = isFull
    const upTo = this.#unneeded()
    if (!duty.isMine && !isFull) return
    const first = await log.first()
    const isTrimmed = first > 0 && upTo >= first
    if (isTrimmed) {
      await log.trim(upTo)
      onTrimmed(upTo)
    }
    const now = this.#monotonic()
    if (isTrimmed || isFull || now - this.#compactedAt > compactMs) {
      this.#compactedAt = now
      await room.make()
    }
    if (!isFull) return
    // The next look trims up to there, once the others have heard of it.
    await makeBackup()
    this.#isFull = await room.isFull()
    if (!this.#isFull) onFull(false)
  }

  /** The offset up to which every hub that may come back has a snapshot. */
  #unneeded(): number {
    const now = this.#monotonic()
    let upTo = Infinity
    for (const { name, snapshot } of this.#options.hubs()) {
      if (this.#options.isLive(name)) this.#awaySince.delete(name)
      else if (!this.#awaySince.has(name)) this.#awaySince.set(name, now)
      if (now - (this.#awaySince.get(name) ?? now) <= awayMs) upTo = Math.min(upTo, snapshot)
    }
    return upTo === Infinity ? 0 : upTo
  }
}
