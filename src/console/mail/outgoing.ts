import type { SendAnswer, SendRequest } from '../../protocol/messages.ts'
import type { StoredValues } from './stored-values.ts'

/** A send without a response, or a refused one. It is kept until it is stored or its writer removes it. */
export interface Outgoing {
  request: SendRequest & { id: string }
  /** Key of the conversation that shows it. */
  place: string
  /** Time of the first attempt, in ms since 1970. */
  since: number
  /** `waiting` is retried automatically; `refused` is not, since the hub has decided it. */
  state: 'sending' | 'waiting' | 'refused'
  /** Error of the last attempt, and what to do. */
  why?: { message: string; hint: string }
}

/** Requests to the hub. All three reject with an error of the API: see `Failure`. */
export interface Post {
  send(request: Outgoing['request']): Promise<SendAnswer>
  /** Reports whether the hub has stored the message of this id, also as a scheduled message. */
  isStored(id: string): Promise<boolean>
}

/** The meaning of an API error: `settled` if the same request would be refused again. */
interface Failure {
  code?: string
  message: string
  hint?: string
  settled?: boolean
  retryAfterMs?: number
}

/** Pauses between attempts, in ms: doubled from the first up to the last. */
const pauseMs = { first: 1000, last: 30_000 }

/**
 * The sends of one member on their way to the hub, one after the other, in the order in which they were written. Each gets its id and is
 * stored before the first attempt, so that a later attempt, by this page or the next, stores it once.
 */
export class Outbox {
  readonly #kept: StoredValues<Outgoing>
  readonly #post: Post
  readonly #onChange: (items: Outgoing[]) => void
  readonly #onStored: (item: Outgoing, answer: SendAnswer) => void
  #items: Outgoing[]
  #isRunning = false
  #isClosed = false
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `onChange` receives all items at once and after each change; `onStored` the hub's response. */
  constructor(
    kept: StoredValues<Outgoing>,
    post: Post,
    onChange: (items: Outgoing[]) => void,
    onStored: (item: Outgoing, answer: SendAnswer) => void,
  ) {
    this.#kept = kept
    this.#post = post
    this.#onChange = onChange
    this.#onStored = onStored
    this.#items = []
    this.reload()
  }

  /** Reads the stored sends again, since another page of this member may have changed them, and continues sending. */
  reload(): void {
    const own = new Map(this.#items.map(item => [item.request.id, item]))
    this.#items = this.#kept
      .entries()
      .map(
        ([id, item]) =>
          own.get(id) ?? ({ ...item, state: item.state === 'refused' ? 'refused' : 'waiting' } as Outgoing),
      )
      .sort((a, b) => a.since - b.since || (a.request.id < b.request.id ? -1 : 1))
    this.#onChange(this.#items)
    this.wake()
  }

  /** Keeps the send and starts it. Repeating an id changes nothing. */
  send(request: Outgoing['request'], place: string, now: number): void {
    if (this.#items.some(item => item.request.id === request.id)) return
    const item: Outgoing = { request, place, since: now, state: 'waiting' }
    this.#put(item)
    this.wake()
  }

  /** Retries waiting sends at once: the connection is back, or a member has logged in. */
  wake(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#isRunning && !this.#isClosed) void this.#run()
  }

  /** Retries a refused send: its cause may be fixed. */
  retry(id: string): void {
    const item = this.#find(id)
    if (!item || item.state === 'sending') return
    this.#put({ request: item.request, place: item.place, since: item.since, state: 'waiting' })
    this.wake()
  }

  /**
   * Removes a send, so that it can be changed: resolves to its request, or to `stored` if the hub has it already. Rejects if the hub has to
   * be asked and cannot be reached.
   */
  async takeBack(id: string): Promise<Outgoing['request'] | 'stored'> {
    const item = this.#find(id)
    if (!item || item.state === 'sending') return 'stored'
    const isStored = item.state === 'waiting' && item.why !== undefined && (await this.#post.isStored(id))
    this.#remove(id)
    return isStored ? 'stored' : item.request
  }

  /** Ends all attempts. The next outbox of this member continues with the stored sends. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    try {
      for (let item = this.#next(); item && !this.#isClosed; item = this.#next()) {
        const { why: _, ...fresh } = item
        this.#put({ ...fresh, state: 'sending' })
        try {
          const answer = await this.#post.send(item.request)
          this.#failures = 0
          this.#remove(item.request.id)
          this.#onStored(item, answer)
        } catch (error) {
          const failure = error as Failure
          const why = { message: failure.message, hint: failure.hint ?? '' }
          if (isDecided(failure)) {
            this.#put({ ...fresh, state: 'refused', why })
            continue
          }
          this.#put({ ...fresh, state: 'waiting', why })
          // No retry by time: only the next login helps, and calls `wake`.
          if (failure.code !== 'unauthorized') this.#later(failure.retryAfterMs)
          return
        }
      }
    } finally {
      this.#isRunning = false
    }
  }

  #later(retryAfterMs: number | undefined): void {
    const pause = retryAfterMs ?? Math.min(pauseMs.last, pauseMs.first * 2 ** this.#failures++)
    if (!this.#isClosed) this.#timer = setTimeout(() => this.wake(), pause)
  }

  #next(): Outgoing | undefined {
    return this.#items.find(({ state }) => state === 'waiting')
  }

  #find(id: string): Outgoing | undefined {
    return this.#items.find(({ request }) => request.id === id)
  }

  #put(item: Outgoing): void {
    this.#kept.set(item.request.id, item)
    const place = this.#items.findIndex(({ request }) => request.id === item.request.id)
    this.#items = place < 0 ? [...this.#items, item] : this.#items.with(place, item)
    this.#onChange(this.#items)
  }

  #remove(id: string): void {
    this.#kept.delete(id)
    this.#items = this.#items.filter(({ request }) => request.id !== id)
    this.#onChange(this.#items)
  }
}

/** Reports whether the error is about the message itself, so that retries would fail the same way. */
function isDecided({ code, settled }: Failure): boolean {
  return settled === true || (code !== undefined && decided.has(code))
}

const decided: ReadonlySet<string> = new Set(['invalid', 'forbidden', 'not_found', 'conflict', 'too_large'])
