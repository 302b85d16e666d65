import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'

/** Addresses of an etcd cluster, and the credentials for it. */
export interface EtcdAccess {
  /** `http://host:port` or `https://host:port`, at least one. */
  endpoints: readonly string[]
  /** PEM: the authority that signs the nodes' certificates, and this hub's own certificate with its key. */
  tls?: { ca?: Buffer; cert?: Buffer; key?: Buffer }
  /** A user of etcd who may read and write the keys of the log. */
  user?: { name: string; password: string }
}

/** An error that a node of etcd returned, or the lack of an answer (`code` is 14, UNAVAILABLE, then). Codes are gRPC's. */
export class EtcdError extends Error {
  override name = 'EtcdError'
  readonly code: number
  constructor(message: string, code: number) {
    super(message)
    this.code = code
  }
}

/** gRPC's codes, from its documentation (`google.rpc.Code`). */
const code = { unavailable: 14, unauthenticated: 16 } as const

/** Time one node may take to answer before the next is asked, in ms. An election takes 1 to 2 s; see docs/scaling.md. */
const answerMs = 1000

/** Pause before the next node is asked, in ms. */
const nextNodeMs = 50

/**
 * A client of the JSON gateway of etcd's nodes (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway). It asks one node as long as that
 * answers, then the next.
 */
export class EtcdGateway {
  readonly #access: EtcdAccess
  readonly #answerMs: number
  readonly #agents: { http: HttpAgent; https: HttpsAgent }
  #node = 0
  #token: Promise<string> | undefined

  constructor(access: EtcdAccess, { answerMs: ms = answerMs } = {}) {
    this.#access = access
    this.#answerMs = ms
    const keep = { keepAlive: true, maxSockets: 16 }
    this.#agents = {
      http: new HttpAgent(keep),
      https: new HttpsAgent({ ...keep, ...access.tls, minVersion: 'TLSv1.2' }),
    }
  }

  /**
   * Returns the answer of the first node that gives one; each is asked once, and the first once more. Throws the last `EtcdError`: it is
   * not known then whether the request was carried out.
   */
  async ask<T>(path: string, body: object, signal?: AbortSignal): Promise<T> {
    for (let tries = this.#access.endpoints.length; ; tries--) {
      const node = this.#node
      try {
        return await this.#askNode<T>(path, body, signal)
      } catch (error) {
        if (tries === 0 || signal?.aborted) throw error
        this.#leave(node)
        await delay(nextNodeMs)
      }
    }
  }

  /**
   * Yields the messages of a stream of one node as they arrive. Ends when `signal` aborts. Throws `EtcdError` when the node ends the
   * stream, or `silentMs` pass without a message; another node is asked the next time.
   */
  async *stream<T>(
    path: string,
    body: object,
    { silentMs, signal }: { silentMs: number; signal: AbortSignal },
  ): AsyncIterable<T> {
    const node = this.#node
    const silence = new AbortController()
    const timer = setTimeout(() => silence.abort(), silentMs)
    try {
      const response = await this.#post(path, body, AbortSignal.any([signal, silence.signal]), {
        // The node then ends the stream when its cluster has no leader, instead of staying silent.
        'grpc-metadata-hasleader': 'true',
      })
      if (response.statusCode !== 200) throw errorOf(await textOf(response), response.statusCode)
      let rest = ''
      response.setEncoding('utf8')
      for await (const chunk of response as AsyncIterable<string>) {
        timer.refresh()
        const lines = (rest + chunk).split('\n')
        rest = lines.pop()!
        for (const line of lines) {
          if (line === '') continue
          const { result, error } = JSON.parse(line) as { result?: T; error?: { code?: number; message?: string } }
          if (result === undefined) throw new EtcdError(error?.message ?? line.slice(0, 200), error?.code ?? 2)
          yield result
        }
      }
      throw new EtcdError('The node ended the stream.', code.unavailable)
    } catch (error) {
      if (signal.aborted) return
      this.#leave(node)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }

  /** Moves on to the next node, unless another request has moved on from `node` already. */
  #leave(node: number): void {
    if (this.#node === node) this.#node = (node + 1) % this.#access.endpoints.length
  }

  async #askNode<T>(path: string, body: object, signal?: AbortSignal): Promise<T> {
    const timeout = AbortSignal.timeout(this.#answerMs)
    const response = await this.#post(path, body, signal ? AbortSignal.any([signal, timeout]) : timeout)
    const text = await textOf(response)
    if (response.statusCode === 200) return answerIn(text) as T
    const error = errorOf(text, response.statusCode)
    // A token is valid for 5 minutes by default, and only as long as the node that issued it runs.
    if (error.code === code.unauthenticated) this.#token = undefined
    throw error
  }

  async #post(
    path: string,
    body: object,
    signal: AbortSignal,
    headers: Record<string, string> = {},
  ): Promise<IncomingMessage> {
    if (!this.#access.user) return this.#send(path, body, signal, headers)
    this.#token ??= this.#logIn(this.#access.user, signal)
    let authorization: string
    try {
      authorization = await this.#token
    } catch (error) {
      this.#token = undefined
      throw error
    }
    return this.#send(path, body, signal, { ...headers, authorization })
  }

  async #logIn(user: { name: string; password: string }, signal: AbortSignal): Promise<string> {
    const response = await this.#send('/v3/auth/authenticate', user, signal, {})
    const text = await textOf(response)
    if (response.statusCode !== 200) throw errorOf(text, response.statusCode)
    const { token } = answerIn(text) as { token?: unknown }
    if (typeof token === 'string') return token
    throw new EtcdError('etcd answered a log-in without a token.', 2)
  }

  #send(path: string, body: object, signal: AbortSignal, more: Record<string, string>): Promise<IncomingMessage> {
    const url = new URL(path, this.#access.endpoints[this.#node])
    const isTls = url.protocol === 'https:'
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...more }
    const agent = isTls ? this.#agents.https : this.#agents.http
    return new Promise((resolve, reject) => {
      const request = (isTls ? httpsRequest : httpRequest)(url, { method: 'POST', agent, headers, signal }, resolve)
      request.setNoDelay(true)
      request.on('error', error => reject(noAnswer(url, error)))
      request.end(text)
    })
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  try {
    response.setEncoding('utf8')
    let text = ''
    for await (const chunk of response as AsyncIterable<string>) text += chunk
    return text
  } catch (error) {
    throw new EtcdError(`The answer was cut: ${(error as Error).message}`, code.unavailable)
  }
}

/** Parses the object in a node's answer. Throws `EtcdError` for anything else: a proxy in between has answered instead. */
function answerIn(text: string): object {
  try {
    const answer: unknown = JSON.parse(text)
    if (typeof answer === 'object' && answer !== null) return answer
  } catch {
    // It is not JSON.
  }
  throw new EtcdError(`etcd answered with no JSON object: ${text.slice(0, 200)}`, 2)
}

function noAnswer({ host }: URL, error: Error): EtcdError {
  const why = error.name === 'AbortError' ? `no answer in ${answerMs} ms` : error.message
  return new EtcdError(`etcd at ${host}: ${why}`, code.unavailable)
}

function errorOf(text: string, status = 0): EtcdError {
  try {
    const { message, code: number } = JSON.parse(text) as { message?: string; code?: number }
    // Senders see this sentence, too.
    if (message !== undefined && /space exceeded/.test(message))
      return new EtcdError(`etcd has no room left, its quota is full (${message})`, number ?? 2)
    if (message !== undefined) return new EtcdError(message, number ?? 2)
  } catch {
    // The answer is not etcd's own.
  }
  return new EtcdError(`etcd answered ${status}: ${text.slice(0, 200)}`, 2)
}
