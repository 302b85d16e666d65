import type { IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { Connections, type ConnectionsOptions, type KeyHooks } from './connections.ts'
import { WrongHub } from './pin.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** HTTP to an address that this machine reaches directly, TLS to the hub with a pinned key there, or HTTPS to a proxy in front of it. */
export class DirectTransport implements Transport {
  readonly label: string
  readonly #connections: Connections

  constructor(hub: URL, pin?: ConnectionsOptions['pin'], hooks?: KeyHooks) {
    this.label = hub.origin
    this.#connections = new Connections(hub, { pin, ...hooks })
  }

  async request(request: TransportRequest): Promise<IncomingMessage> {
    try {
      return await this.#connections.request(request)
    } catch (error) {
      throw unanswered(error as Error, this.label)
    }
  }

  async opened(): Promise<void> {}

  close(): void {
    this.#connections.close()
  }
}

/** Returns the error for a request without a response; the hub may have received it. */
export function unanswered(error: NodeJS.ErrnoException, label: string): ClaudeNetError {
  if (error instanceof WrongHub) return wrongHub(error, label)
  const why =
    error.name === 'AbortError' || error.name === 'TimeoutError'
      ? 'it did not answer in time'
      : (whys[error.code ?? ''] ?? certificateWhy(error) ?? `the connection failed (${error.code ?? error.message})`)
  const unavailable = new ClaudeNetError(
    'unavailable',
    `The hub at ${label} cannot be reached: ${why}.`,
    'For details: claude-net doctor',
  )
  return Object.assign(unavailable, { cause: error })
}

/** Returns the error for a server without the pinned key: `unavailable`, so that sends wait until the hub is back. */
function wrongHub(error: WrongHub, label: string): ClaudeNetError {
  const what =
    error.found === undefined
      ? 'it does not speak TLS 1.3, and this machine has pinned the key of its hub'
      : `it has the key ${error.found}, and this machine has pinned ${error.pin}${error.why ? `; ${error.why}` : ''}`
  const wrong = new ClaudeNetError(
    'unavailable',
    `The server at ${label} is not the hub of this machine: ${what}. Nothing was sent to it.`,
    "Another program may have taken its port. Ask the hub's admin for its key; if that has changed: claude-net invite NAME",
  )
  return Object.assign(wrong, { cause: error })
}

/** Reports whether a request without a response was certainly not sent: no connection was made, or the hub refused it. */
export function isCertainlyUnsent({ cause }: Error): boolean {
  if (cause === undefined || cause instanceof WrongHub) return true
  return ['connect', 'getaddrinfo'].includes((cause as NodeJS.ErrnoException).syscall ?? '')
}

/** Explains a TLS error by its code, from OpenSSL's verification (nodejs.org/api/tls.html#x509-certificate-error-codes). */
function certificateWhy({ code = '' }: NodeJS.ErrnoException): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for another name'
  if (code === 'EPROTO') return 'it does not speak TLS'
  if (!/CERT|ISSUER|SELF_SIGNED|VERIFY/.test(code)) return undefined
  return `its certificate is not trusted here (${code}); for a private authority, set NODE_EXTRA_CA_CERTS to its file`
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
