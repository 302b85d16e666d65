import type { IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Identity } from '../auth/identify.ts'
import type { DoorSettings } from '../config/door.ts'
import type { Network } from './network.ts'
import { isByTls } from './tls-sockets.ts'

/** How long a member counts as one that speaks without TLS after it last did, in ms. */
const countsForMs = 24 * 3_600_000

/** A member whose token came without TLS lately: when last, in ms since 1970, and whether from another host than the hub's. */
export interface PlainMember {
  member: number
  name: string
  lastAt: number
  isRemote: boolean
}

/** Requests that come without TLS: from where they are taken, and who still sends them. Kept for as long as the process runs. */
export class PlainRequests {
  readonly #network: Network
  readonly #now: () => number
  readonly #members = new Map<number, PlainMember>()
  /** From where they are taken. */
  from: DoorSettings['plain']

  constructor(network: Network, from: DoorSettings['plain'], now = Date.now) {
    this.#network = network
    this.from = from
    this.#now = now
  }

  /** Takes them from elsewhere from now on. */
  configure(from: DoorSettings['plain']): void {
    this.from = from
  }

  /** Whether a request came over TLS, to this port or to a trusted proxy, or may come without. */
  isAllowed(request: IncomingMessage): boolean {
    if (this.from === 'allow' || this.#isSafe(request)) return true
    return this.from === 'loopback' && isLoopback(this.#network.clientOf(request))
  }

  /** A request with a good token has come. */
  saw({ member, name }: Identity, request: IncomingMessage): void {
    if (this.#isSafe(request)) return
    const known = this.#members.get(member)
    const lastAt = this.#now()
    const isRemote = !isLoopback(this.#network.clientOf(request))
    if (known) Object.assign(known, { name, lastAt, isRemote })
    else this.#members.set(member, { member, name, lastAt, isRemote })
  }

  /** Who has sent some within a day, the latest first. */
  get members(): PlainMember[] {
    const since = this.#now() - countsForMs
    return [...this.#members.values()].filter(({ lastAt }) => lastAt > since).sort((a, b) => b.lastAt - a.lastAt)
  }

  #isSafe(request: IncomingMessage): boolean {
    return isByTls(request) || this.#network.isAdmin(request.socket) || this.#network.protocolOf(request) === 'https'
  }
}

/** What a request is answered that came without TLS where it must not. The same request may come over TLS, so it is not settled. */
export function plainRefused(from: DoorSettings['plain']): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    from === 'loopback'
      ? 'This hub takes requests without TLS from its own host alone.'
      : 'This hub takes no request without TLS.',
    "A machine speaks TLS once it knows the hub's key: claude-net pin, or the line of a new invite.",
  )
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
