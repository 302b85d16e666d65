import { maxPage } from '../protocol/messages.ts'
import { inboxRoutes } from '../protocol/routes/inbox.ts'
import type { Line } from './line.ts'

/** Receives the ids of messages that this session was shown: `shown` before an answer is written, `fetched` after. */
export interface ShownListener {
  shown: (ids: readonly string[]) => void
  fetched: (ids: readonly string[]) => void
}

/** Time after a result was written until what it showed counts as seen, in ms. */
const settleMs = 5000

type RequestId = string | number

/**
 * Reports to the hub which messages this session was shown and has acked.
 *
 * A message that an answer shows is `fetched` when that answer has been written to the client, and, if the call asked for it,
 * acked when the client shows that it lives on: with its next request, or 5 s later with stdin open and the call not
 * cancelled. If the client ends in between, its model has not seen them: nothing is reported, and the hub shows the messages again.
 */
export class ReadState {
  readonly #line: () => Pick<Line, 'client' | 'scope'>
  readonly #session: string
  readonly #listener: ShownListener | undefined
  /** Messages in results that have not been written yet, by their request. */
  readonly #answering = new Map<RequestId, { shown: string[]; ack: boolean }>()
  /** Written, to be acked once the client shows that it lives. */
  readonly #unconfirmed = new Map<RequestId, { ids: string[]; timer: NodeJS.Timeout }>()
  /** To be acked: the client lives. Kept until the hub has answered. */
  readonly #confirmed = new Set<string>()
  #work: Promise<void> = Promise.resolve()

  constructor(line: () => Pick<Line, 'client' | 'scope'>, session: string, listener?: ShownListener) {
    this.#line = line
    this.#session = session
    this.#listener = listener
  }

  /** The answer to `request` shows these messages and, with `ack`, marks them as read. */
  answerShows(request: RequestId, shown: string[], ack: boolean): void {
    if (shown.length === 0) return
    this.#answering.set(request, { shown, ack })
    this.#inform(listener => listener.shown(shown))
  }

  /** The answer to `request` has been written to the client. */
  answerWritten(request: RequestId): void {
    const answer = this.#answering.get(request)
    if (!answer) return
    this.#answering.delete(request)
    this.#inform(listener => listener.fetched(answer.shown))
    this.#enqueue(() => this.#tellFetched(answer.shown))
    if (!answer.ack) return
    const timer = setTimeout(() => this.#confirm(), settleMs)
    this.#unconfirmed.set(request, { ids: answer.shown, timer })
  }

  /** Calls the listener. Its error does not fail the result: the disk may be full. */
  #inform(tell: (listener: ShownListener) => void): void {
    try {
      if (this.#listener) tell(this.#listener)
    } catch {
      // A hook may tell of it once more.
    }
  }

  /** The client has sent something: it lives, and has what was written before. */
  clientSpoke(): void {
    if (this.#unconfirmed.size > 0) this.#confirm()
  }

  /** The client gave `request` up: it will not show that answer. */
  cancelled(request: RequestId): void {
    this.#answering.delete(request)
    clearTimeout(this.#unconfirmed.get(request)?.timer)
    this.#unconfirmed.delete(request)
  }

  /** Acks that the client's messages so far call for have left, or could not: then they are tried again at the next call. */
  async settled(): Promise<void> {
    this.#enqueue(() => this.#tellAcked())
    await this.#work
  }

  /** Forgets what was not confirmed; what was is sent, if the hub is quick. */
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
    this.#enqueue(() => this.#tellAcked())
  }

  #enqueue(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch(() => {
      // A hub out of reach: receipts are not worth an error. Acks stay in #confirmed for the next try.
    })
  }

  async #tellFetched(ids: string[]): Promise<void> {
    for (const page of pages(ids)) {
      const { client, scope } = this.#line()
      await client.call(inboxRoutes.markFetched, { body: { ids: page, session: this.#session, project: scope } })
    }
  }

  async #tellAcked(): Promise<void> {
    for (const page of pages([...this.#confirmed])) {
      const { client, scope } = this.#line()
      await client.call(inboxRoutes.ackInbox, { body: { ids: page, project: scope } })
      for (const id of page) this.#confirmed.delete(id)
    }
  }
}

/** The ids in portions that one request may carry. */
export function pages(ids: string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / maxPage) }, (_, n) => ids.slice(n * maxPage, (n + 1) * maxPage))
}
