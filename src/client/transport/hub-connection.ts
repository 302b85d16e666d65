import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { staleHeader } from '../../protocol/seq-header.ts'
import { anySignal } from './any-signal.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** Time without a response after which the hub's health is checked, in ms, and the interval between further checks. */
const slowMs = 300
const againMs = 1000

/** Timeout of the readiness check before a return to a hub, in ms: the hub writes to its log for that. */
const readyMs = 3000

/**
 * Time without a response after which the health of a hub with an open stream is checked, in ms. A session sends a heartbeat every 5 s, and
 * a suspended hub leaves its connections open.
 */
const quietMs = 6000

/** The error of a stream that was ended on this side, since the machine has switched to another hub. */
export class Moved extends Error {
  override name = 'Moved'
}

/** The connection to one hub of several. */
export class HubConnection {
  readonly id: string
  readonly transport: Transport
  /** Total time until the hub must have passed a health check, in ms: before its first response, and after. */
  readonly #within: { openMs: number; healthyMs: number }
  readonly #streams = new Set<IncomingMessage>()
  #busy = 0
  #isLeft = false
  #check: Promise<boolean> | undefined
  /** Time of the last response, by `performance.now()`. */
  #respondedAt = 0
  #guard: NodeJS.Timeout | undefined
  /** Time of the last failure, by `performance.now()`. */
  failedAt = Number.NEGATIVE_INFINITY

  constructor(id: string, transport: Transport, within: { openMs: number; healthyMs: number }) {
    this.id = id
    this.transport = transport
    this.#within = within
  }

  /**
   * Sends one request. With `mayBeLeft` it throws `unavailable` as soon as a health check fails; otherwise only the request's `signal`
   * ends it.
   */
  async request(request: TransportRequest, mayBeLeft: boolean): Promise<IncomingMessage> {
    this.#busy++
    const done = () => {
      this.#busy--
      this.#closeIfLeft()
    }
    let response: IncomingMessage
    try {
      response = mayBeLeft ? await this.#whileHealthy(request) : await this.transport.request(request)
    } catch (error) {
      this.failedAt = performance.now()
      done()
      throw error
    }
    this.#respondedAt = performance.now()
    if (response.headers['content-type']?.startsWith('text/event-stream')) {
      this.#streams.add(response)
      if (mayBeLeft) this.#guard ??= setInterval(() => void this.#checkStreams(), quietMs / 2).unref()
    }
    response.once('close', () => {
      this.#streams.delete(response)
      if (this.#streams.size === 0) this.#guard = void clearInterval(this.#guard)
      done()
    })
    return response
  }

  /** Reports whether the hub accepts writes, so that the machine can return to it. */
  async isReady(): Promise<boolean> {
    const answer = await this.#get('/readyz', readyMs)
    return answer?.statusCode === 200 && answer.headers[staleHeader] === undefined
  }

  /** Ends the streams of a hub that no longer responds; they are requested again, from it or from another hub. */
  async #checkStreams(): Promise<void> {
    if (performance.now() - this.#respondedAt < quietMs || (await this.#isHealthy())) return
    this.#endStreams()
  }

  #endStreams(): void {
    for (const stream of this.#streams) stream.destroy(new Moved())
  }

  /** Ends the streams, so that they continue on another hub, and the connections once no request is in flight. */
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

  async #whileHealthy(request: TransportRequest): Promise<IncomingMessage> {
    const unhealthy = new AbortController()
    const settled = new AbortController()
    const signals = request.signal ? [request.signal, unhealthy.signal] : [unhealthy.signal]
    void this.#watch(settled.signal).then(
      isUnhealthy => isUnhealthy && unhealthy.abort(new DOMException('no answer', 'TimeoutError')),
    )
    try {
      return await this.transport.request({ ...request, signal: anySignal(signals) })
    } finally {
      settled.abort()
    }
  }

  /** Resolves to true when a health check fails, or to false when `settled` aborts. */
  async #watch(settled: AbortSignal): Promise<boolean> {
    try {
      for (let pause = slowMs; ; pause = againMs) {
        await delay(pause, undefined, { signal: settled })
        if (!(await this.#isHealthy())) return !settled.aborted
      }
    } catch {
      return false
    }
  }

  /** Reports whether the hub passes a health check. Concurrent callers share one check. */
  #isHealthy(): Promise<boolean> {
    const { openMs, healthyMs } = this.#within
    this.#check ??= this.#get('/healthz', (this.#respondedAt > 0 ? healthyMs : openMs) - slowMs)
      .then(answer => {
        if (answer) this.#respondedAt = performance.now()
        return answer !== undefined
      })
      .finally(() => (this.#check = undefined))
    return this.#check
  }

  /** Returns the response to a request without a token, its body discarded; undefined if none comes in time. */
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
