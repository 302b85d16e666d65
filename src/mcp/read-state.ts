import { maxPage } from '../protocol/messages.ts'
import { inboxRoutes } from '../protocol/routes/inbox.ts'
import type { Line } from './line.ts'

/** Receives the ids of messages that this session was shown: `shown` before a result is written, `fetched` after. */
export interface ShownListener {
  shown: (ids: readonly string[]) => void
  fetched: (ids: readonly string[]) => void
}

/** Time after a result was written until its messages count as seen, in ms. */
const settleMs = 5000

type RequestId = string | number

/**
 * Reports to the hub which messages this session was shown and has acked.
 *
 * A message in a result is `fetched` once that result has been written to the client, and, if the call requested it, acked once the
 * client has shown that it still runs: by its next request, or after 5 s with stdin open and the call not cancelled. If the client
 * exits in between, its model has not seen the messages: they are not acked, and the hub shows them again.
 */
export class ReadState {
  readonly #line: () => Pick<Line, 'client' | 'scope'>
  readonly #session: string
  readonly #listener: ShownListener | undefined
  /** Messages in results that have not been written yet, by their request. */
  readonly #answering = new Map<RequestId, { shown: string[]; ack: boolean }>()
  /** Messages in written results, to be acked once the client shows that it still runs. */
  readonly #unconfirmed = new Map<RequestId, { ids: string[]; timer: NodeJS.Timeout }>()
  /** Messages to be acked: the client still runs. Kept until the hub has responded. */
  readonly #confirmed = new Set<string>()
  #work: Promise<void> = Promise.resolve()

  constructor(line: () => Pick<Line, 'client' | 'scope'>, session: string, listener?: ShownListener) {
    this.#line = line
    this.#session = session
    this.#listener = listener
  }

  /** Records that the result of `request` shows these messages and, with `ack`, marks them as read. */
  answerShows(request: RequestId, shown: string[], ack: boolean): void {
    if (shown.length === 0) return
    this.#answering.set(request, { shown, ack })
    this.#notify(listener => listener.shown(shown))
  }

  /** Called when the result of `request` has been written to the client. */
  answerWritten(request: RequestId): void {
    const answer = this.#answering.get(request)
    if (!answer) return
    this.#answering.delete(request)
    this.#notify(listener => listener.fetched(answer.shown))
    this.#enqueue(() => this.#sendFetched(answer.shown))
    if (!answer.ack) return
    const timer = setTimeout(() => this.#confirm(), settleMs)
    this.#unconfirmed.set(request, { ids: answer.shown, timer })
  }

  /** Calls the listener. Its error, such as a full disk, does not fail the result. */
  #notify(call: (listener: ShownListener) => void): void {
    try {
      if (this.#listener) call(this.#listener)
    } catch {
      // A hook may announce the message once more.
    }
  }

  /** Called with each message from the client: it still runs, and has received what was written before. */
  clientSpoke(): void {
    if (this.#unconfirmed.size > 0) this.#confirm()
  }

  /** Called when the client cancels `request`: it will not show that result. */
  cancelled(request: RequestId): void {
    this.#answering.delete(request)
    clearTimeout(this.#unconfirmed.get(request)?.timer)
    this.#unconfirmed.delete(request)
  }

  /** Waits until the acks that are due were sent or have failed; those that failed are retried at the next call. */
  async settled(): Promise<void> {
    this.#enqueue(() => this.#sendAcks())
    await this.#work
  }

  /** Drops unconfirmed acks, and waits for confirmed ones to be sent. */
  async close(): Promise<void> {
    for (const { timer } of this.#unconfirmed.values()) clearTimeout(timer)
    this.#unconfirmed.clear()
    await this.settled()
  }

  #confirm(): void {
    for (const { ids, timer } of this.#unconfirmed.values()) {
      clearTimeout(timer)
      for (const id of ids) this.#confirmed.add(id)
    }
    this.#unconfirmed.clear()
    this.#enqueue(() => this.#sendAcks())
  }

  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch(() => {
      // The hub cannot be reached. Receipts do not justify an error; acks stay in #confirmed for the next attempt.
    })
  }

  async #sendFetched(ids: string[]): Promise<void> {
    for (const page of pages(ids)) {
      const { client, scope } = this.#line()
      await client.call(inboxRoutes.markFetched, { body: { ids: page, session: this.#session, project: scope } })
    }
  }

  async #sendAcks(): Promise<void> {
    for (const page of pages([...this.#confirmed])) {
      const { client, scope } = this.#line()
      await client.call(inboxRoutes.ackInbox, { body: { ids: page, project: scope } })
      for (const id of page) this.#confirmed.delete(id)
    }
  }
}

/** Splits the ids into pages that one request may carry. */
export function pages(ids: string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / maxPage) }, (_, n) => ids.slice(n * maxPage, (n + 1) * maxPage))
}
