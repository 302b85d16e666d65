import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** HTTP to an address that this machine reaches by itself. Connections are kept and used again. */
export class DirectTransport implements Transport {
  readonly label: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #hub: URL
  #isClosed = false

  constructor(hub: URL) {
    this.#hub = hub
    this.label = hub.origin
  }

  async request(request: TransportRequest): Promise<IncomingMessage> {
    try {
      return await this.#once(request).catch(error => {
        if (!isStale(error) || request.signal?.aborted || this.#isClosed) throw error
        // The hub closed a kept connection just as it was used again, and so perhaps the others. Every request of ours may be
        // repeated, so it is, once, over a new one.
        for (const idle of Object.values(this.#agent.freeSockets)) for (const socket of idle ?? []) socket.destroy()
        return this.#once(request)
      })
    } catch (error) {
      throw unanswered(error as Error, this.label)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#agent.destroy()
  }

  #once({ method, path, headers, body, signal }: TransportRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const outgoing = httpRequest(
        {
          agent: this.#agent,
          host: this.#hub.hostname.replace(/^\[|\]$/g, ''),
          port: this.#hub.port || 80,
          method,
          path,
          headers: { ...headers, ...length },
          signal,
        },
        resolve,
      )
      outgoing.on('error', error => reject(Object.assign(error, { isReused: outgoing.reusedSocket })))
      outgoing.end(body)
    })
  }
}

/** Whether a connection failed that had carried a request before. */
function isStale({ code, isReused }: NodeJS.ErrnoException & { isReused?: boolean }): boolean {
  return isReused === true && (code === 'ECONNRESET' || code === 'EPIPE')
}

/** No answer, in words: what is known is only that none came. */
export function unanswered(error: NodeJS.ErrnoException, label: string): ClaudeNetError {
  const why =
    error.name === 'AbortError' || error.name === 'TimeoutError'
      ? 'it did not answer in time'
      : (whys[error.code ?? ''] ?? `the connection failed (${error.code ?? error.message})`)
  return new ClaudeNetError(
    'unavailable',
    `The hub at ${label} cannot be reached: ${why}.`,
    'claude-net doctor says more.',
  )
}

const whys: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  EHOSTUNREACH: 'there is no route to that address',
  ENETUNREACH: 'this machine has no network to that address',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up now',
  ETIMEDOUT: 'it does not answer',
}
