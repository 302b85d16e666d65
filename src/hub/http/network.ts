import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import { AddressRanges, plainAddress } from '../../protocol/address-range.ts'
import { adminSocketFile } from '../../protocol/admin-socket.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { hostNameOf } from '../../protocol/hub-address.ts'
import type { DoorSettings } from '../config/door.ts'
import { checkOrigin, checkSameOrigin } from './browser.ts'
import { isByTls } from './tls-sockets.ts'

/** The other end of a connection; `address` without its zone. */
export interface Peer {
  address: string
  isTrusted: boolean
  isProxy: boolean
}

type NetworkSettings = Pick<DoorSettings, 'trustedNetworks' | 'trustedProxies'>

/** Determines the address from which a request comes, and whether it is allowed. */
export class Network {
  #trusted!: AddressRanges
  #proxies!: AddressRanges
  /** Cache: an address is looked up once per connection. */
  #peers = new WeakMap<Socket, Peer>()
  readonly #admins = new WeakSet<Socket>()

  constructor(settings: NetworkSettings) {
    this.configure(settings)
  }

  /** Applies other settings from now on, also to open connections. */
  configure({ trustedNetworks, trustedProxies }: NetworkSettings): void {
    this.#trusted = new AddressRanges(trustedNetworks)
    this.#proxies = new AddressRanges(trustedProxies)
    this.#peers = new WeakMap()
  }

  /** Records a connection over the admin's own socket, which only the hub's user and root can open. */
  readonly cameFromAdmin = (socket: Socket): void => void this.#admins.add(socket)

  /** Reports whether `address` is in a trusted network. */
  isTrusted(address: string): boolean {
    return this.#trusted.has(address)
  }

  isAdmin(socket: Socket): boolean {
    return this.#admins.has(socket)
  }

  /** Reports whether a request comes from a trusted network, or from anywhere through a trusted proxy. */
  isAllowed({ socket }: IncomingMessage): boolean {
    const { isTrusted, isProxy } = this.peerOf(socket)
    return isTrusted || isProxy
  }

  /**
   * Returns the address of the client: the peer's, or, if that is a trusted proxy, the last entry of X-Forwarded-For that is not a
   * trusted proxy itself. The client may have forged the entries before it.
   */
  clientOf({ socket, headers }: IncomingMessage): string {
    const { address, isProxy } = this.peerOf(socket)
    const forwarded = isProxy ? headers['x-forwarded-for'] : undefined
    if (forwarded === undefined) return address
    const entries = [forwarded].flat().join(',').split(',')
    const client = entries.map(plainAddress).findLast(entry => !this.#proxies.has(entry))
    return client !== undefined && isIP(client) !== 0 ? client : address
  }

  /** Returns `https` for TLS to this port or to a trusted proxy, which says so in the last word of X-Forwarded-Proto. */
  protocolOf({ socket, headers }: IncomingMessage): 'http' | 'https' {
    if (isByTls({ socket })) return 'https'
    if (!this.peerOf(socket).isProxy) return 'http'
    const said = headers['x-forwarded-proto']
    return [said].flat().join(',').split(',').at(-1)!.trim().toLowerCase() === 'https' ? 'https' : 'http'
  }

  /** Returns the other end of a connection. */
  peerOf(socket: Socket): Peer {
    const known = this.#peers.get(socket)
    if (known) return known
    if (this.#admins.has(socket)) return { address: adminSocketFile, isTrusted: true, isProxy: false }
    const address = plainAddress(socket.remoteAddress ?? '')
    const peer = { address, isTrusted: this.#trusted.has(address), isProxy: this.#proxies.has(address) }
    this.#peers.set(socket, peer)
    return peer
  }
}

/**
 * Returns the key by which limits count an address: the IPv4 address itself, or the /64 of an IPv6 address, within which a client can
 * change its address at no cost (RFC 6177: a site gets no less than that).
 */
export function clientGroup(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  // An IPv4 address at the end (`::ffff:10.0.3.1`) stands for two groups.
  const size = before.length + after.length + (address.includes('.') ? 1 : 0)
  const whole = tail === undefined ? before : [...before, ...Array<string>(8 - size).fill('0'), ...after]
  return `${whole
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/** Error for a request from outside the trusted networks. */
export function outsider(): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    'This hub answers to its own networks only.',
    "Put a TLS reverse proxy in front and list it in 'trustedProxies' of hub.json, or add your network to 'trustedNetworks'.",
  )
}

/**
 * Refuses requests for another host name, and requests that a page of another origin makes a browser send, before any other check. A page
 * whose own name points here (DNS rebinding) is recognized by the Host header; `hosts` are the names of this hub. A request line in
 * absolute form names a host too, which is checked as well (RFC 9112, section 3.2.2).
 */
export function checkHeaders(request: IncomingMessage, hosts: readonly string[], network: Network): void {
  const { headers } = request
  for (const name of ['host', 'authorization']) {
    if (!isRepeated(request.rawHeaders, name)) continue
    // Node uses the first one; a proxy in front of the hub may have used another.
    throw new ClaudeNetError('invalid', `The request has more than one ${name} header.`, 'Send one.')
  }
  const isForeign = !isOurs(hostNameOf(headers.host), hosts)
  if (!isForeign && isOurs(hostNameOf(authorityOf(request.url) ?? headers.host), hosts)) {
    checkOrigin(request, network)
    // Not for GET and HEAD: the user may have typed the address, or followed a link.
    if (request.method !== 'GET' && request.method !== 'HEAD') checkSameOrigin(request)
    return
  }
  throw new ClaudeNetError(
    'forbidden',
    `This hub does not answer to the name in the ${isForeign ? 'Host header' : 'request line'}.`,
    "Use its IP address, or add the name to 'hosts' in hub.json.",
  )
}

/** Returns the authority of a target in absolute form (`http://10.0.3.1:3500/healthz`); undefined for a target in another form. */
function authorityOf(target = ''): string | undefined {
  return target.startsWith('/') || target === '*' ? undefined : (/^https?:\/\/([^/?#]*)/i.exec(target)?.[1] ?? target)
}

/** Reports whether a header is repeated. `rawHeaders` has names and values in turn. */
function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let times = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const raw = rawHeaders[at]!
    if (raw.length === name.length && raw.toLowerCase() === name) times++
  }
  return times > 1
}

function isOurs(name: string | undefined, hosts: readonly string[]): boolean {
  return name !== undefined && (name === 'localhost' || isIP(name) !== 0 || hosts.includes(name))
}
