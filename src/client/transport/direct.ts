import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** HTTP to an address that this machine reaches by itself. Connections are kept and used again. */
export class DirectTransport implements Transport {
  readonly label: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #hub: URL

  constructor(hub: URL) {
    this.#hub = hub
    this.label = hub.origin
  }

  request(request: TransportRequest): Promise<IncomingMessage> {
    return this.#once(request)
      .catch((error: NodeJS.ErrnoException & { isReused?: boolean }) => {
        // The hub closed a kept connection just as it was used again. Every request of ours may be repeated, so it is, once.
        if (error.code === 'ECONNRESET' && error.isReused && !request.signal?.aborted) return this.#once(request)
        throw error
      })
      .catch(error => {
        throw unanswered(error, this.label)
      })
  }

  close(): void {
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
  EHOSTUNREACH: 'there is no route to that address',
  ENETUNREACH: 'this machine has no network to that address',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name cannot be looked up now',
  ETIMEDOUT: 'it does not answer',
}
