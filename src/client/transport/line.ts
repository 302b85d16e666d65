import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { staleHeader } from '../../protocol/seq-header.ts'
import { anySignal } from './any-signal.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** How long an answer may take, in ms, before the hub has to show that it lives, and how long from then on until it has to again. */
const slowMs = 300
const againMs = 1000

/** How long a hub may take to show that it is ready to be gone back to, in ms: it writes for that. */
const readyMs = 3000

/**
 * How long a hub may say nothing, in ms, while a stream of it is open, before it has to show that it lives. A session has a heartbeat every
 * 5 s, and a hub that is stopped leaves its connections open.
 */
const quietMs = 6000

/** A stream that was ended here, since the machine is at another hub now. */
export class Moved extends Error {
  override name = 'Moved'
}

/** The line to one hub of several. */
export class Line {
  readonly id: string
  readonly transport: Transport
  /** How long it may take in all until the hub shows that it lives, in ms: before it has answered for the first time, and after. */
  readonly #within: { openMs: number; aliveMs: number }
  readonly #streams = new Set<IncomingMessage>()
  #busy = 0
  #isLeft = false
  #proof: Promise<boolean> | undefined
  /** When it answered last, by `performance.now()`. */
  #heardAt = 0
  #guard: NodeJS.Timeout | undefined
  /** When it failed last, by `performance.now()`. */
  failedAt = Number.NEGATIVE_INFINITY

  constructor(id: string, transport: Transport, within: { openMs: number; aliveMs: number }) {
    this.id = id
    this.transport = transport
    this.#within = within
  }

  /**
   * Sends one request. With `mayBeLeft` it is given up, `unavailable`, once the hub does not even answer that it lives; without, `signal` of
   * the request alone ends it.
   */
  async request(request: TransportRequest, mayBeLeft: boolean): Promise<IncomingMessage> {
    this.#busy++
    const done = () => {
      this.#busy--
      this.#closeIfLeft()
    }
    let response: IncomingMessage
    try {
      response = mayBeLeft ? await this.#whileAlive(request) : await this.transport.request(request)
    } catch (error) {
      this.failedAt = performance.now()
      done()
      throw error
    }
    this.#heardAt = performance.now()
    if (response.headers['content-type']?.startsWith('text/event-stream')) {
      this.#streams.add(response)
      if (mayBeLeft) this.#guard ??= setInterval(() => void this.#proveStreams(), quietMs / 2).unref()
    }
    response.once('close', () => {
      this.#streams.delete(response)
      if (this.#streams.size === 0) this.#guard = void clearInterval(this.#guard)
      done()
    })
    return response
  }

  /** Whether the hub takes writes, and can be gone back to. */
  async isReady(): Promise<boolean> {
    const answer = await this.#get('/readyz', readyMs)
    return answer?.statusCode === 200 && answer.headers[staleHeader] === undefined
  }

  /** Ends the streams of a hub that does not answer any more: they are asked for again, there or elsewhere. */
  async #proveStreams(): Promise<void> {
    if (performance.now() - this.#heardAt < quietMs || (await this.#isAlive())) return
    this.#endStreams()
  }

  #endStreams(): void {
    for (const stream of this.#streams) stream.destroy(new Moved())
  }

  /** Ends the streams, so that they go on elsewhere, and the connections once nothing is under way. */
  leave(): void {
    this.#isLeft = true
    this.#endStreams()
    this.#closeIfLeft()
  }

  #closeIfLeft(): void {
    if (this.#isLeft && this.#busy === 0) this.transport.close()
  }

  get isOpen(): boolean {
    return !this.#isLeft
  }

  async #whileAlive(request: TransportRequest): Promise<IncomingMessage> {
    const dead = new AbortController()
    const settled = new AbortController()
    const signals = request.signal ? [request.signal, dead.signal] : [dead.signal]
    void this.#watch(settled.signal).then(isDead => isDead && dead.abort(new DOMException('no answer', 'TimeoutError')))
    try {
      return await this.transport.request({ ...request, signal: anySignal(signals) })
    } finally {
      settled.abort()
    }
  }

  /** Resolves once the hub does not answer any more: true; or when `settled` aborts: false. */
  async #watch(settled: AbortSignal): Promise<boolean> {
    try {
      for (let pause = slowMs; ; pause = againMs) {
        await delay(pause, undefined, { signal: settled })
        if (!(await this.#isAlive())) return !settled.aborted
      }
    } catch {
      return false
    }
  }

  /** Whether the hub answers at all. Of all that wait for it one asks. */
  #isAlive(): Promise<boolean> {
    const { openMs, aliveMs } = this.#within
    this.#proof ??= this.#get('/healthz', (this.#heardAt > 0 ? aliveMs : openMs) - slowMs)
      .then(answer => {
        if (answer) this.#heardAt = performance.now()
        return answer !== undefined
      })
      .finally(() => (this.#proof = undefined))
    return this.#proof
  }

  /** The answer of the hub to a request that needs no token, without its body; undefined where none comes in time. */
  async #get(path: string, withinMs: number): Promise<IncomingMessage | undefined> {
    try {
      const signal = AbortSignal.timeout(withinMs)
      const answer = await this.transport.request({ method: 'GET', path, headers: {}, signal })
      return answer.on('error', () => {}).resume()
    } catch {
      return undefined
    }
  }
}
