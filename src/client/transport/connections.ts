import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { HubKey } from '../../protocol/hub-key.ts'
import { type DialOptions, dialingAgent } from './dial.ts'
import { type Pin, WrongHub } from './pin.ts'
import type { TransportRequest } from './transport.ts'

export interface ConnectionsOptions {
  /** A unix socket of this machine that is forwarded to the hub. */
  socketPath?: string | undefined
  /** The key that the hub must prove. A function is called before each request, for a pin that may change meanwhile. */
  pin?: Pin | (() => Pin | undefined) | undefined
  /** Called when something other than the hub of the pin has responded. */
  onWrongHub?: ((found: WrongHub) => void) | undefined
  /** Called when the hub has a new key that the pinned one vouches for; `pin` is then called again. */
  onNewKey?: ((change: { from: HubKey; to: HubKey }) => void) | undefined
}

/** The handlers of a key other than the pinned one. */
export type KeyHooks = Pick<ConnectionsOptions, 'onWrongHub' | 'onNewKey'>

/**
 * HTTP or HTTPS to a hub over keep-alive connections, to its address or through a unix socket. With a pin they are TLS to the hub
 * with that key, whatever the scheme of the address. Without one, a private certificate authority is named in NODE_EXTRA_CA_CERTS.
 */
export class Connections {
  readonly #hub: URL
  readonly #socketPath: string | undefined
  readonly #onWrongHub: ConnectionsOptions['onWrongHub']
  readonly #pinNow: () => Pin | undefined
  readonly #onNewKey: ConnectionsOptions['onNewKey']
  #agent: Agent
  /** The pin that the connections of `#agent` were made with. */
  #pin: Pin | undefined
  #isClosed = false

  constructor(hub: URL, { socketPath, pin, onWrongHub, onNewKey }: ConnectionsOptions = {}) {
    this.#hub = hub
    this.#socketPath = socketPath
    this.#onWrongHub = onWrongHub
    this.#onNewKey = onNewKey
    this.#pinNow = typeof pin === 'function' ? pin : () => pin
    // Not called here: if the pin cannot be read, the first request throws the error.
    this.#pin = typeof pin === 'function' ? undefined : pin
    this.#agent = this.#newAgent()
  }

  /** Sends one request and returns its response. Throws the system's error if none came. */
  async request(request: TransportRequest): Promise<IncomingMessage> {
    this.#followPin()
    return this.#once(request).catch(async error => {
      if (await this.#hasNewKey(error)) {
        this.#followPin()
        return this.#once(request)
      }
      if (error instanceof WrongHub) this.#onWrongHub?.(error)
      if (!isStale(error) || request.signal?.aborted || this.#isClosed) throw error
      // The hub closed an idle connection just as it was reused, and perhaps the others too. All requests are idempotent, so
      // this one is retried once, over a new connection.
      destroyIdle(this.#agent)
      return this.#once(request)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#agent.destroy()
  }

  /** Reports whether the wrong hub of `error` is the pinned hub with a new key. If not, sets the reason in `error.why`. */
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

  /** Discards the idle connections if the pin has changed, so that no further request uses them. */
  #followPin(): void {
    const pin = this.#pinNow()
    if (pin === this.#pin || this.#isClosed) return
    const before = this.#agent
    // Requests in the clear are aborted; those over TLS with the previous pin are completed.
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

/** Reports whether the error is that of a reused connection which the hub had closed. */
function isStale({ code, isReused }: NodeJS.ErrnoException & { isReused?: boolean }): boolean {
  return isReused === true && (code === 'ECONNRESET' || code === 'EPIPE')
}
