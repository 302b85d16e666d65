import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type DialOptions, dialingAgent } from './dial.ts'
import type { TransportRequest } from './transport.ts'

/**
 * HTTP or HTTPS to a hub over connections that are kept and used again: to its address, or through a socket of this machine. A
 * certificate authority of one's own is named in NODE_EXTRA_CA_CERTS.
 */
export class Connections {
  readonly #agent: Agent
  readonly #hub: URL
  readonly #socketPath: string | undefined
  #isClosed = false

  constructor(hub: URL, socketPath?: string) {
    this.#hub = hub
    this.#agent = dialingAgent(hub.protocol === 'https:')
    this.#socketPath = socketPath
  }

  /** Sends one request and answers its response. Throws the system's own error when none came. */
  async request(request: TransportRequest): Promise<IncomingMessage> {
    return this.#once(request).catch(error => {
      if (!isStale(error) || request.signal?.aborted || this.#isClosed) throw error
      // The hub closed a kept connection just as it was used again, and so perhaps the others. Every request of ours may be
      // repeated, so it is, once, over a new one.
      for (const idle of Object.values(this.#agent.freeSockets)) for (const socket of idle ?? []) socket.destroy()
      return this.#once(request)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#agent.destroy()
  }

  #once({ method, path, headers, body, signal }: TransportRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const isTls = this.#hub.protocol === 'https:'
      const options: DialOptions = {
        agent: this.#agent,
        host: this.#hub.hostname.replace(/^\[|\]$/g, ''),
        port: this.#hub.port || (isTls ? 443 : 80),
        socketPath: this.#socketPath,
        method,
        path,
        headers: { host: this.#hub.host, ...headers, ...length },
        signal,
        dialSignal: signal,
      }
      const outgoing = (isTls ? httpsRequest : httpRequest)(options, resolve)
      outgoing.on('error', error => reject(Object.assign(error, { isReused: outgoing.reusedSocket })))
      outgoing.end(body)
    })
  }
}

/** Whether a connection failed that had carried a request before. */
function isStale({ code, isReused }: NodeJS.ErrnoException & { isReused?: boolean }): boolean {
  return isReused === true && (code === 'ECONNRESET' || code === 'EPIPE')
}
