import type { IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Identity } from '../auth/identify.ts'
import type { DoorSettings } from '../config/door.ts'
import type { Network } from './network.ts'
import { isByTls } from './tls-sockets.ts'

/** Time for which a member is listed after its last request without TLS, in ms. */
const countsForMs = 24 * 3_600_000

/** A member that lately sent its token without TLS. `lastAt` is in ms since 1970; `isRemote` says whether it came from another host. */
export interface PlainMember {
  member: number
  name: string
  lastAt: number
  isRemote: boolean
}

/** Decides which requests without TLS are accepted, and records the members that send them, until the process ends. */
export class PlainRequests {
  readonly #network: Network
  readonly #now: () => number
  readonly #members = new Map<number, PlainMember>()
  /** Sources from which requests without TLS are accepted. */
  from: DoorSettings['plain']

  constructor(network: Network, from: DoorSettings['plain'], now = Date.now) {
    this.#network = network
    this.from = from
    this.#now = now
  }

  /** Changes the accepted sources from now on. */
  configure(from: DoorSettings['plain']): void {
    this.from = from
  }

  /** Reports whether a request came over TLS, to this port or to a trusted proxy, or is accepted without. */
  isAllowed(request: IncomingMessage): boolean {
    if (this.from === 'allow' || this.#isSafe(request)) return true
    return this.from === 'loopback' && isLoopback(this.#network.clientOf(request))
  }

  /** Records a request with a valid token. */
  saw({ member, name }: Identity, request: IncomingMessage): void {
    if (this.#isSafe(request)) return
    const known = this.#members.get(member)
    const lastAt = this.#now()
    const isRemote = !isLoopback(this.#network.clientOf(request))
    if (known) Object.assign(known, { name, lastAt, isRemote })
    else this.#members.set(member, { member, name, lastAt, isRemote })
  }

  /** Members that sent requests without TLS within the last day, the latest first. */
  get members(): PlainMember[] {
    const since = this.#now() - countsForMs
    return [...this.#members.values()].filter(({ lastAt }) => lastAt > since).sort((a, b) => b.lastAt - a.lastAt)
  }

  #isSafe(request: IncomingMessage): boolean {
    return isByTls(request) || this.#network.isAdmin(request.socket) || this.#network.protocolOf(request) === 'https'
  }
}

/** Error for a request without TLS that is not accepted. The code is not `settled`, as the same request is accepted over TLS. */
export function plainRefused(from: DoorSettings['plain']): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    from === 'loopback'
      ? 'This hub accepts requests without TLS from its own host only.'
      : 'This hub accepts no request without TLS.',
    "A machine uses TLS once it has pinned the hub's key: claude-net pin, or the line of a new invite.",
  )
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
