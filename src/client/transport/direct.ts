import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as TlsAgent } from 'node:https'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Transport, TransportRequest } from './transport.ts'

/**
 * HTTP to an address that this machine reaches by itself, or HTTPS to a proxy in front of the hub. Connections are kept and used
 * again. A certificate authority of one's own is named in NODE_EXTRA_CA_CERTS.
 */
export class DirectTransport implements Transport {
  readonly label: string
  readonly #agent: Agent
  readonly #hub: URL
  #isClosed = false

  constructor(hub: URL) {
    this.#hub = hub
    const Kind = hub.protocol === 'https:' ? TlsAgent : Agent
    this.#agent = new Kind({ keepAlive: true, maxSockets: 16 })
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
      const isTls = this.#hub.protocol === 'https:'
      const outgoing = (isTls ? httpsRequest : httpRequest)(
        {
          agent: this.#agent,
          host: this.#hub.hostname.replace(/^\[|\]$/g, ''),
          port: this.#hub.port || (isTls ? 443 : 80),
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
      : (whys[error.code ?? ''] ?? certificateWhy(error) ?? `the connection failed (${error.code ?? error.message})`)
  return new ClaudeNetError(
    'unavailable',
    `The hub at ${label} cannot be reached: ${why}.`,
    'claude-net doctor says more.',
  )
}

/** TLS errors of Node have codes of OpenSSL's verification (nodejs.org/api/tls.html#x509-certificate-error-codes). */
function certificateWhy({ code = '' }: NodeJS.ErrnoException): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for another name'
  if (code === 'EPROTO') return 'it does not speak TLS'
  if (!/CERT|ISSUER|SELF_SIGNED|VERIFY/.test(code)) return undefined
  return `its certificate is not trusted here (${code}); name your own authority's file in NODE_EXTRA_CA_CERTS`
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
