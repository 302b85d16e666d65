import type { IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { Connections } from './connections.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** HTTP to an address that this machine reaches by itself, or HTTPS to a proxy in front of the hub. */
export class DirectTransport implements Transport {
  readonly label: string
  readonly #connections: Connections

  constructor(hub: URL) {
    this.label = hub.origin
    this.#connections = new Connections(hub)
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

/** No answer, in words: what is known is only that none came. */
export function unanswered(error: NodeJS.ErrnoException, label: string): ClaudeNetError {
  const why =
    error.name === 'AbortError' || error.name === 'TimeoutError'
      ? 'it did not answer in time'
      : (whys[error.code ?? ''] ?? certificateWhy(error) ?? `the connection failed (${error.code ?? error.message})`)
  const unavailable = new ClaudeNetError(
    'unavailable',
    `The hub at ${label} cannot be reached: ${why}.`,
    'claude-net doctor says more.',
  )
  return Object.assign(unavailable, { cause: error })
}

/** Whether a request that got no answer was certainly not sent: no connection was made, or the hub itself said no. */
export function isCertainlyUnsent({ cause }: Error): boolean {
  if (cause === undefined) return true
  return ['connect', 'getaddrinfo'].includes((cause as NodeJS.ErrnoException).syscall ?? '')
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
