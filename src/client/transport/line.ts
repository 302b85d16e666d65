import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { anySignal } from './any-signal.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** How long an answer may take, in ms, before the hub has to show that it lives, and how long from then on until it has to again. */
const slowMs = 300
const againMs = 1000

/** How long a hub may take to show that it is ready to be gone back to, in ms: it writes for that. */
const readyMs = 3000

/** A stream that was ended here, since the machine is at another hub now. */
export class Moved extends Error {
  override name = 'Moved'
}

/** The line to one hub of several. */
export class Line {
  readonly id: string
  readonly transport: Transport
  /** How long it may take in all until the hub shows that it lives, in ms: as long as a connection may take to open. */
  readonly #aliveMs: number
  readonly #streams = new Set<IncomingMessage>()
  #busy = 0
  #isLeft = false
  #proof: Promise<boolean> | undefined
  /** When it failed last, by `performance.now()`. */
  failedAt = Number.NEGATIVE_INFINITY

  constructor(id: string, transport: Transport, aliveMs: number) {
    this.id = id
    this.transport = transport
    this.#aliveMs = aliveMs
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
    if (response.headers['content-type']?.startsWith('text/event-stream')) this.#streams.add(response)
    response.once('close', () => {
      this.#streams.delete(response)
      done()
    })
    return response
  }

  /** Whether the hub takes writes, and can be gone back to. */
  async isReady(): Promise<boolean> {
    const answer = await this.#get('/readyz', readyMs)
    return answer?.statusCode === 200 && answer.headers['claude-net-stale'] === undefined
  }

  /** Ends the streams, so that they go on elsewhere, and the connections once nothing is under way. */
  leave(): void {
    this.#isLeft = true
    for (const stream of this.#streams) stream.destroy(new Moved())
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
        // Of all that wait for this hub one asks.
        this.#proof ??= this.#get('/healthz', this.#aliveMs - slowMs)
          .then(answer => answer !== undefined)
          .finally(() => (this.#proof = undefined))
        if (!(await this.#proof)) return !settled.aborted
      }
    } catch {
      return false
    }
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
