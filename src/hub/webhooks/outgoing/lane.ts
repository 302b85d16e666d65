import { setImmediate } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ClaudeNetError } from '../../../protocol/errors.ts'
import type { Hub } from '../../hub.ts'
import type { OutgoingCommand, OutgoingPlace } from '../../state/outgoing-commands.ts'
import { compare, type Happening, happeningOf, happeningsAfter } from '../../state/query/happenings.ts'
import { type OutgoingRow, outgoingById, type StoredFilter, waitingEvents } from '../../state/query/outgoing.ts'
import { meets } from './filter.ts'
import { bodyOf } from './payload.ts'
import { failureInWords, isOutage, type Post, type PostResult } from './post.ts'

/** Retry schedule. Spans are in ms. */
export interface LaneTiming {
  /** Timeout of one post. */
  timeoutMs: number
  /** Waits between the attempts for one event; the last repeats. */
  retriesMs: readonly number[]
  /** Time after its first failure at which an event is tried for the last time. */
  lifeMs: number
  /** Waits between two posts after a failure: the first, doubled by each further failure up to the second. */
  pauseMs: readonly [least: number, most: number]
  /** Longest time for which a receiver may defer the next post. */
  mostRetryAfterMs: number
}

const [second, minute, hour] = [1000, 60_000, 3_600_000]

export const defaultTiming: LaneTiming = {
  timeoutMs: 10 * second,
  retriesMs: [5 * second, 30 * second, 2 * minute, 10 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 8 * hour],
  lifeMs: 24 * hour,
  pauseMs: [second, minute],
  mostRetryAfterMs: hour,
}

/** Number of events waiting for a retry at which no new one is tried: the history itself is the queue. */
const mostWaiting = 100

/** Number of messages read at a time. */
const page = 200

/** Number of entries without a post after which a lane stores its position. */
const storePositionEvery = 1000

/** Wait before a lane retries a store that accepts nothing, in ms. */
const storeRetryMs = 5 * second

/** Number of consecutive failures after which a success means that the receiver is back. */
const outageFrom = 3

export interface LaneParts {
  hub: Hub
  log: Logger
  timing: LaneTiming
  send: (post: Post, signal: AbortSignal) => Promise<PostResult>
  /** The steady time, in ms. */
  steady: () => number
  /** Resolves after `ms`, or once `woken` does or `stop` aborts. */
  pause: (ms: number, stop: AbortSignal, woken: Promise<void>) => Promise<void>
}

/**
 * Posts the events of one webhook, one at a time, in the order of the history. A failed event is recorded for a retry, and does not block
 * later ones. An event not recorded as delivered when the hub ends is posted again, under the same id.
 */
export class Lane {
  readonly #parts: LaneParts
  readonly #id: number
  #wake = Promise.withResolvers<void>()
  /** The place up to which the history was searched, and the events found there that are still to be posted. */
  #at: OutgoingPlace | undefined
  #found: { happening: Happening; place: OutgoingPlace }[] = []
  #notBefore = 0
  #failures = 0
  #why: string | undefined
  /** Time of the first of the current failures, and of the receiver's last recovery, in steady time. */
  #failingSince: number | undefined
  #backAt = Number.NEGATIVE_INFINITY

  /** Creates the lane of the webhook with this id. */
  constructor(id: number, parts: LaneParts) {
    this.#id = id
    this.#parts = parts
  }

  /** The receiver's last failure since its last success, in words. */
  get trouble(): string | undefined {
    return this.#why === undefined ? undefined : failureInWords(this.#why)
  }

  /** Signals that there may be a new event. */
  wake(): void {
    this.#wake.resolve()
  }

  /** Ends the wait after failures: the receiver accepted a test. */
  nudge(): void {
    this.#notBefore = 0
    this.#succeeded()
    this.wake()
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.#wake = Promise.withResolvers()
      try {
        const waitMs = await this.#step(stop)
        if (waitMs > 0) await this.#parts.pause(waitMs, stop, this.#wake.promise)
      } catch (err) {
        if (stop.aborted) return
        this.#parts.log.error({ err }, 'a webhook failed and is retried')
        this.#at = undefined
        this.#found = []
        await this.#parts.pause(storeRetryMs, stop, new Promise(() => {}))
      }
    }
  }

  /** Takes the next step, and returns how long there is nothing else to do, in ms. */
  async #step(stop: AbortSignal): Promise<number> {
    const { hub, steady, timing } = this.#parts
    const { db } = hub.state
    const row = outgoingById(db, this.#id)
    if (!row || row.goneAt !== null) {
      this.#at = undefined
      this.#found = []
      return Number.POSITIVE_INFINITY
    }
    const now = Math.round(steady())
    if (now < this.#notBefore) return this.#notBefore - now
    const waiting = waitingEvents(db, row.id)
    const due = waiting.find(event => event.due! <= now || (event.tried < this.#backAt && isOutage(event.why)))
    if (due) {
      const happening = happeningOf(db, due)
      // Its message is no longer stored.
      if (!happening)
        await this.#note(
          { type: 'outgoing.failed', webhook: row.id, event: eventOf(due), why: 'kept', tried: now, due: null },
          stop,
        )
      else
        await this.#deliver(row, happening, stop, {
          since: due.attempts === 0 ? now : due.since,
          attempts: due.attempts,
        })
      return 0
    }
    const nextDue = Math.max(1, (waiting[0]?.due ?? Number.POSITIVE_INFINITY) - now)
    if (waiting.length >= mostWaiting) return nextDue
    const next = await this.#next(row, stop)
    if (next === 'more') return 0
    if (!next) return nextDue
    // While a receiver has been down for the life of an event, later events are tried once.
    const isDown = this.#failingSince !== undefined && now - this.#failingSince >= timing.lifeMs
    const since = isDown ? this.#failingSince! : now
    await this.#deliver(row, next.happening, stop, { since, attempts: 0, upTo: next.place })
    this.#found.shift()
    return 0
  }

  /** Returns the next new event until it is dealt with; `more` when the history continues but no event was found yet. */
  async #next(
    row: OutgoingRow,
    stop: AbortSignal,
  ): Promise<{ happening: Happening; place: OutgoingPlace } | 'more' | undefined> {
    const [next] = this.#found
    if (next) return next
    const { state } = this.#parts.hub
    const noted = { seq: row.seq, part: row.part }
    // The stored place is ahead: the webhook was made to continue from there.
    if (!this.#at || compare(this.#at, noted) < 0) this.#at = noted
    const filters = JSON.parse(row.filters) as StoredFilter[]
    const withExpired = filters.some(({ event }) => event === 'expired')
    const newest = state.position.seq
    const { found, upTo } = happeningsAfter(state.db, this.#at, { newest, limit: page, withExpired })
    this.#found = found.filter(({ happening }) => filters.some(filter => meets(state.db, filter, happening)))
    const isAtEnd = upTo.seq >= newest
    this.#at = upTo
    if (this.#found.length > 0) return this.#found[0]
    if (upTo.seq - row.seq >= storePositionEvery)
      await this.#note({ type: 'outgoing.passed', webhook: row.id, upTo }, stop)
    if (isAtEnd) return undefined
    await setImmediate()
    return 'more'
  }

  /** Posts one event and records the outcome. */
  async #deliver(
    row: OutgoingRow,
    happening: Happening,
    stop: AbortSignal,
    { since, attempts, upTo }: { since: number; attempts: number; upTo?: OutgoingPlace },
  ): Promise<void> {
    const { hub, steady, timing, send } = this.#parts
    const body = bodyOf(hub.state.db, row, happening)
    const { id } = happening
    const result = await send({ url: row.url, id, body, secrets: secretsOf(row, steady()) }, stop)
    if (stop.aborted && !result.ok) return
    const place = upTo && { upTo }
    if (result.ok) {
      await this.#note({ type: 'outgoing.delivered', webhook: row.id, event: id, ...place }, stop)
      this.#succeeded()
      return
    }
    const tried = Math.round(steady())
    this.#failed(result, tried)
    const due = result.isGone ? null : this.#nextTry(tried, { since, attempts })
    await this.#note(
      {
        type: 'outgoing.failed',
        webhook: row.id,
        event: eventOf(happening),
        why: result.isGone ? 'gone' : result.why,
        tried,
        due,
        ...place,
      },
      stop,
    )
    if (result.isGone) await this.#note({ type: 'outgoing.gone', webhook: row.id }, stop)
    this.#notBefore = tried + Math.max(this.#pauseMs(), Math.min(result.retryAfterMs ?? 0, timing.mostRetryAfterMs))
  }

  /** Returns when an event is tried again, in steady time; the last time at the end of its life. */
  #nextTry(now: number, { since, attempts }: { since: number; attempts: number }): number | null {
    const { retriesMs, lifeMs } = this.#parts.timing
    const end = since + lifeMs
    if (now >= end) return null
    return Math.round(Math.min(end, now + retriesMs[Math.min(attempts, retriesMs.length - 1)]! * jitter()))
  }

  #pauseMs(): number {
    const [least, most] = this.#parts.timing.pauseMs
    return Math.min(most, least * 2 ** Math.min(this.#failures - 1, 20)) * jitter()
  }

  #failed({ why }: { why: string }, now: number): void {
    this.#failingSince ??= now
    this.#why = why
    if (this.#failures++ === 0) this.#log('warn', `posting to a webhook failed: ${failureInWords(why)}`)
  }

  #succeeded(): void {
    if (this.#failures >= outageFrom) this.#backAt = this.#parts.steady()
    if (this.#failures > 0) this.#log('info', 'a webhook accepts events again')
    this.#failures = 0
    this.#failingSince = undefined
    this.#why = undefined
  }

  #log(level: 'info' | 'warn', text: string): void {
    const name = outgoingById(this.#parts.hub.state.db, this.#id)?.name
    this.#parts.log[level]({ webhook: name }, text)
  }

  /** Submits a command, and retries while the store accepts nothing: repeating the post instead would send it twice. */
  async #note(command: OutgoingCommand, stop: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#parts.hub.submit(command)
        return
      } catch (error) {
        if ((error as ClaudeNetError).code !== 'unavailable' || stop.aborted) throw error
        await this.#parts.pause(storeRetryMs, stop, new Promise(() => {}))
      }
    }
  }
}

/** Returns the secrets that sign a post now, newest first. */
export function secretsOf({ secret, secretBefore, beforeUntil }: OutgoingRow, steady: number): string[] {
  return secretBefore !== null && (beforeUntil ?? 0) > steady ? [secret, secretBefore] : [secret]
}

function eventOf({ id, kind, seq, changed, at, detail }: OutgoingEventLike) {
  return {
    ...{ id, kind, seq, at },
    ...(typeof changed === 'number' && { changed }),
    ...(typeof detail === 'string' && { detail }),
  }
}

type OutgoingEventLike = Pick<Happening, 'id' | 'kind' | 'seq' | 'at'> & {
  changed?: number | null
  detail?: string | null
}

/** Spreads the retries of events that failed together. */
function jitter(): number {
  return 1 + Math.random() / 10
}
