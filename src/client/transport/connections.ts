import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { HubKey } from '../../protocol/hub-key.ts'
import { type DialOptions, dialingAgent } from './dial.ts'
import { type Pin, WrongHub } from './pin.ts'
import type { TransportRequest } from './transport.ts'

export interface ConnectionsOptions {
  /** A socket of this machine that leads to the hub. */
  socketPath?: string | undefined
  /** Which hub may answer; a function is asked before each request, for a pin that may change meanwhile. */
  pin?: Pin | (() => Pin | undefined) | undefined
  /** Called when something else than the hub of the pin has answered. */
  onWrongHub?: ((found: WrongHub) => void) | undefined
  /** Called when the hub has another key than the pinned one, which that one vouches for; the pin is asked for again. */
  onNewKey?: ((change: { from: HubKey; to: HubKey }) => void) | undefined
}

/** What happens when another key than the pinned one answers. */
export type KeyHooks = Pick<ConnectionsOptions, 'onWrongHub' | 'onNewKey'>

/**
 * HTTP or HTTPS to a hub over connections that are kept and used again: to its address, or through a socket of this machine. With
 * a pin they are TLS to the hub of that key, whatever the scheme of the address. Otherwise a certificate authority of one's own is
 * named in NODE_EXTRA_CA_CERTS.
 */
export class Connections {
  readonly #hub: URL
  readonly #socketPath: string | undefined
  readonly #onWrongHub: ConnectionsOptions['onWrongHub']
  readonly #pinNow: () => Pin | undefined
  readonly #onNewKey: ConnectionsOptions['onNewKey']
  #agent: Agent
  /** What the connections of `#agent` are proven by. */
  #pin: Pin | undefined
  #isClosed = false

  constructor(hub: URL, { socketPath, pin, onWrongHub, onNewKey }: ConnectionsOptions = {}) {
    this.#hub = hub
    this.#socketPath = socketPath
    this.#onWrongHub = onWrongHub
    this.#onNewKey = onNewKey
    this.#pinNow = typeof pin === 'function' ? pin : () => pin
    // A pin that cannot be read now is asked for again, and thrown, by the first request.
    this.#pin = typeof pin === 'function' ? undefined : pin
    this.#agent = this.#newAgent()
  }

  /** Sends one request and answers its response. Throws the system's own error when none came. */
  async request(request: TransportRequest): Promise<IncomingMessage> {
    this.#followPin()
    return this.#once(request).catch(async error => {
      if (await this.#hasNewKey(error)) {
        this.#followPin()
        return this.#once(request)
      }
      if (error instanceof WrongHub) this.#onWrongHub?.(error)
      if (!isStale(error) || request.signal?.aborted || this.#isClosed) throw error
      // The hub closed a kept connection just as it was used again, and so perhaps the others. Every request of ours may be
      // repeated, so it is, once, over a new one.
      destroyIdle(this.#agent)
      return this.#once(request)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#agent.destroy()
  }

  /** Whether what answered, with another key than the pinned one, is the same hub nevertheless. If not, `error` says why. */
  async #hasNewKey(error: unknown): Promise<boolean> {
    if (!this.#onNewKey || this.#isClosed || !(error instanceof WrongHub)) return false
    const { pin, found } = error
    if (pin === 'any' || found === undefined) return false
    const { proveNewKey } = await import('./new-key.ts')
    const connections = new Connections(this.#hub, { socketPath: this.#socketPath, pin: found })
    try {
      await proveNewKey(chain => connections.request(chain), pin, found)
    } catch (trouble) {
      error.why = (trouble as Error).message
      return false
    } finally {
      connections.close()
    }
    this.#onNewKey({ from: pin, to: found })
    return true
  }

  /** Where another key is pinned than before, or one at all, no earlier connection is used for another request. */
  #followPin(): void {
    const pin = this.#pinNow()
    if (pin === this.#pin || this.#isClosed) return
    const before = this.#agent
    // What goes on in the clear is cut; what a key of before has proven goes on to its end.
    if (this.#pin === undefined) before.destroy()
    else destroyIdle(before)
    this.#pin = pin
    this.#agent = this.#newAgent()
  }

  #newAgent(): Agent {
    if (this.#pin !== undefined) return dialingAgent({ pin: this.#pin })
    return dialingAgent(this.#hub.protocol === 'https:' ? 'verified' : 'none')
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
      const outgoing = (isTls && this.#pin === undefined ? httpsRequest : httpRequest)(options, resolve)
      outgoing.on('error', error => reject(Object.assign(error, { isReused: outgoing.reusedSocket })))
      outgoing.end(body)
    })
  }
}

function destroyIdle(agent: Agent): void {
  for (const idle of Object.values(agent.freeSockets)) for (const socket of idle ?? []) socket.destroy()
}

/** Whether a connection failed that had carried a request before. */
function isStale({ code, isReused }: NodeJS.ErrnoException & { isReused?: boolean }): boolean {
  return isReused === true && (code === 'ECONNRESET' || code === 'EPIPE')
}
