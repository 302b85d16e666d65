import type { Socket } from 'node:net'
import type { DoorSettings } from '../config/door.ts'
import { tooMany } from './limits.ts'
import { reset } from './tls-sockets.ts'

/** Longest interval between checks for slow readers while a response waits, in ms. */
const maxLookMs = 5000

/** Time after which a client that left responses unread should retry, in ms. */
const retryMs = 1000

interface Waiting {
  /** The client that is to read them, see `Connections.clientOf`. */
  client: string
  /** Bytes of each response, or of each event of a stream, in the order in which they were written. */
  answers: number[]
  bytes: number
  /** Time at which the first of them was written, or became the first; monotonic, in ms. */
  since: number
}

export interface UnreadAnswersOptions extends Pick<DoorSettings, 'limits' | 'timeouts'> {
  /** A clock that never steps, in ms. */
  now?: () => number
}

/**
 * Bytes of responses in the memory of this process that their readers have not taken yet. Bounded per client, in total, and in
 * time: a connection that reads too slowly is reset.
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

  /** Unread bytes of all clients. */
  get bytes(): number {
    return this.#bytes
  }

  /** Throws `rate_limited` while `client` has left too much unread. */
  check(client: string): void {
    const bytes = this.#perClient.get(client) ?? 0
    if (bytes < this.#maxPerClient) return
    throw tooMany(
      `You have ${bytes} bytes of earlier answers to read.`,
      retryMs,
      'Read them, or close their connections.',
    )
  }

  /**
   * Counts a response of `bytes` bytes that was written. While too much is unread, resets the connection that has waited longest of the
   * client with the most.
   */
  wrote(socket: Socket, client: string, bytes: number): void {
    // Already closed: nothing is buffered for it, and no event would subtract these bytes again.
    if (socket.destroyed) return
    const known = this.#waiting.get(socket)
    const waiting = known ?? { client, answers: [], bytes: 0, since: this.#now() }
    if (!known) this.#waiting.set(socket, waiting)
    waiting.answers.push(bytes)
    this.#add(waiting, bytes)
    this.#look ??= setTimeout(() => this.#cutSlow(), Math.min(maxLookMs, this.#timeoutMs / 2)).unref()
    // Twice the bound: concurrent requests pass `check` before the first response is written.
    while (this.#perClient.get(waiting.client)! > 2 * this.#maxPerClient) this.#cutLongest(waiting.client)
    while (this.#bytes > this.#maxBytes) this.#cutLongest(this.#largestClient())
  }

  /** Counts the first waiting response of this connection as read. */
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

  /** Resets the connection of `client` that has waited longest: the map is in the order in which they began to wait. */
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
    // Without a reset the kernel would keep some MiB in its send buffer for a reader that does not read.
    reset(socket)
  }
}

/** Approximate size of the head of a response. */
const headBytes = 512

/** Bytes that are buffered of a file, which is read only as fast as it is sent. */
const streamBytes = 64 * 1024

/**
 * Returns the bytes that a response occupies in memory until it is read, and the payload to send. A long text is encoded here, as
 * otherwise both the text and its bytes would stay in memory.
 */
export function measured(payload: unknown): [bytes: number, sent: unknown] {
  if (payload === null || payload === undefined) return [headBytes, payload]
  if (Buffer.isBuffer(payload)) return [headBytes + payload.byteLength, payload]
  if (typeof payload !== 'string') return [headBytes + streamBytes, payload]
  if (payload.length < 4096) return [headBytes + payload.length, payload]
  const bytes = Buffer.from(payload)
  return [headBytes + bytes.byteLength, bytes]
}
