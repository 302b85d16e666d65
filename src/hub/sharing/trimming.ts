import type { Log } from '../journal/log.ts'
import type { Duty } from './duty.ts'

/** Interval at which the log is trimmed, in ms, and at which the room of trimmed records is reclaimed. */
const lookMs = 60_000
const compactMs = 300_000

/** Time within which an offline hub can return to a log that still continues its snapshot, in ms. */
const awayMs = 3_600_000

export interface TrimmingOptions {
  log: Pick<Log, 'first' | 'trim'>
  /** Storage room of the log; see `EtcdRoom`. */
  room: { isFull(): Promise<boolean>; make(): Promise<void> }
  duty: Pick<Duty, 'isMine'>
  /** Returns the hubs of the history, with the offset of each one's stored snapshot, 0 without one. */
  hubs: () => readonly { name: string; snapshot: number }[]
  isLive: (name: string) => boolean
  /** Makes a snapshot of this hub. */
  makeBackup: () => Promise<unknown>
  /** Called when the log has no room left, and when it has again. */
  onFull: (isFull: boolean) => void
  onTrimmed: (upTo: number) => void
  onError: (error: unknown) => void
  /** Monotonic clock, in ms. */
  monotonic?: () => number
  /** Overrides `lookMs`. */
  everyMs?: number
}

/**
 * Trims the log: the hub with the duty deletes the records below the oldest snapshot of all hubs that are online, or were within an hour.
 * Without room left no hub can hold the duty; each hub then makes a snapshot and reclaims room.
 */
export class Trimming {
  readonly #options: TrimmingOptions
  readonly #monotonic: () => number
  readonly #awaySince = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #compactedAt = -Infinity
  #isFull = false
  /** The error reported last. */
  #reported: string | undefined
  #looking: Promise<void> | undefined

  constructor(options: TrimmingOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#timer = setInterval(() => void this.look(), options.everyMs ?? lookMs).unref()
  }

  /** Trims now what can be. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .then(
        () => {
          this.#reported = undefined
        },
        error => {
          if (error.message !== this.#reported) this.#options.onError(error)
          this.#reported = error.message
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
    // The next round trims up to there, once this snapshot is announced.
    await makeBackup()
    this.#isFull = await room.isFull()
    if (!this.#isFull) onFull(false)
  }

  /** Returns the offset up to which every hub that may return has a snapshot. */
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
