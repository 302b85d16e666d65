import type { Socket } from 'node:net'
import type { DoorSettings } from '../config/door.ts'
import { tooMany } from './limits.ts'
import { reset } from './tls-sockets.ts'

/** How often connections are looked at while an answer waits, in ms, at most. */
const maxLookMs = 5000

/** When a client that does not read should ask again, in ms. */
const retryMs = 1000

interface Waiting {
  /** Whose answers these are, see `Connections.clientOf`. */
  client: string
  /** Bytes of each answer, or of each event of a stream, in the order in which they were written. */
  answers: number[]
  bytes: number
  /** When the first of them was written, or became the first; monotonic, in ms. */
  since: number
}

export interface UnreadAnswersOptions extends Pick<DoorSettings, 'limits' | 'timeouts'> {
  /** A clock that never steps, in ms. */
  now?: () => number
}

/**
 * What was answered and not yet taken by its reader, in the memory of this process. Bounded for each client and for all of them,
 * and in time: a connection that takes too long is cut.
 */
export class UnreadAnswers {
  readonly #timeoutMs: number
  readonly #maxPerClient: number
  readonly #maxBytes: number
  readonly #now: () => number
  readonly #waiting = new Map<Socket, Waiting>()
  readonly #perClient = new Map<string, number>()
  #bytes = 0
  #look: NodeJS.Timeout | undefined

  constructor({ limits, timeouts, now }: UnreadAnswersOptions) {
    this.#timeoutMs = timeouts.answerMs
    this.#maxPerClient = limits?.unreadBytesPerToken ?? Infinity
    this.#maxBytes = limits?.unreadBytes ?? Infinity
    this.#now = now ?? (() => performance.now())
  }

  /** All bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Throws `rate_limited` while `client` has left too much unread. */
  check(client: string): void {
    const bytes = this.#perClient.get(client) ?? 0
    if (bytes < this.#maxPerClient) return
    throw tooMany(
      `${bytes} bytes of earlier answers wait to be read by you.`,
      retryMs,
      'Read them, or close those connections.',
    )
  }

  /** An answer of so many bytes was written. Cuts connections while there is too much: of whoever has the most, the longest. */
  wrote(socket: Socket, client: string, bytes: number): void {
    // Closed already: nothing is kept for it, and nothing would take this off again.
    if (socket.destroyed) return
    const known = this.#waiting.get(socket)
    const waiting = known ?? { client, answers: [], bytes: 0, since: this.#now() }
    if (!known) this.#waiting.set(socket, waiting)
    waiting.answers.push(bytes)
    this.#add(waiting, bytes)
    this.#look ??= setTimeout(() => this.#cutSlow(), Math.min(maxLookMs, this.#timeoutMs / 2)).unref()
    // Twice as much: what was asked for at once passed `check` before the first of it was written.
    while (this.#perClient.get(waiting.client)! > 2 * this.#maxPerClient) this.#cutLongest(waiting.client)
    while (this.#bytes > this.#maxBytes) this.#cutLongest(this.#largestClient())
  }

  /** The first of what waits for this connection was taken. */
  read(socket: Socket): void {
    const waiting = this.#waiting.get(socket)
    if (!waiting) return
    this.#add(waiting, -waiting.answers.shift()!)
    if (waiting.answers.length === 0) this.#waiting.delete(socket)
    else waiting.since = this.#now()
  }

  closed(socket: Socket): void {
    const waiting = this.#waiting.get(socket)
    if (!waiting) return
    this.#waiting.delete(socket)
    this.#add(waiting, -waiting.bytes)
  }

  #add(waiting: Waiting, bytes: number): void {
    waiting.bytes += bytes
    this.#bytes += bytes
    const ofClient = (this.#perClient.get(waiting.client) ?? 0) + bytes
    if (ofClient === 0) this.#perClient.delete(waiting.client)
    else this.#perClient.set(waiting.client, ofClient)
  }

  #largestClient(): string {
    return [...this.#perClient].reduce((a, b) => (b[1] > a[1] ? b : a))[0]
  }

  /** In the order of the map: a connection enters it when it begins to wait. */
  #cutLongest(client: string): void {
    for (const [socket, waiting] of this.#waiting) {
      if (waiting.client !== client) continue
      this.#cut(socket)
      return
    }
  }

  #cutSlow(): void {
    this.#look = undefined
    const now = this.#now()
    for (const [socket, { since }] of this.#waiting) {
      if (now - since > this.#timeoutMs) this.#cut(socket)
    }
    if (this.#waiting.size > 0) {
      this.#look = setTimeout(() => this.#cutSlow(), Math.min(maxLookMs, this.#timeoutMs / 2)).unref()
    }
  }

  #cut(socket: Socket): void {
    this.closed(socket)
    // Otherwise the kernel goes on keeping what it was given, some MiB, for a reader that does not read.
    reset(socket)
  }
}

/** Bytes of an answer's head, about. */
const headBytes = 512

/** What waits of a file that is read as fast as it is taken. */
const streamBytes = 64 * 1024

/**
 * How many bytes an answer keeps in memory while it is not read, and what to send. A long text becomes bytes at once, for the
 * text would wait beside them.
 */
export function measured(payload: unknown): [bytes: number, sent: unknown] {
  if (payload === null || payload === undefined) return [headBytes, payload]
  if (Buffer.isBuffer(payload)) return [headBytes + payload.byteLength, payload]
  if (typeof payload !== 'string') return [headBytes + streamBytes, payload]
  if (payload.length < 4096) return [headBytes + payload.length, payload]
  const bytes = Buffer.from(payload)
  return [headBytes + bytes.byteLength, bytes]
}
