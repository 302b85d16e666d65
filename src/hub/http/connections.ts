import type { Socket } from 'node:net'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { LimitSettings } from '../config/door.ts'
import { tooMany } from './limits.ts'
import { clientGroup, type Network } from './network.ts'

/** Time for which a new connection does not count as idle before its first request, in ms: a tunnel may forward a request late. */
const graceMs = 2000

/** Factor by which strangers may briefly exceed their pool: many clients behind one relay connect at once. */
const burst = 8

/** Time after which a client with too many connections should retry, in ms. */
const retryMs = 1000

interface Connection {
  socket: Socket
  /** Key by which its address counts, see `clientGroup`. */
  group: string
  isProxy: boolean
  /** Last valid token that it showed; undefined for a stranger. */
  tokenId: string | undefined
  /** Requests without a complete response, including streams. */
  open: number
  hasAsked: boolean
  /** Monotonic, in ms. */
  openedAt: number
  /** Time at which a request last began or ended; monotonic, in ms. */
  activeAt: number
}

export interface ConnectionsOptions {
  limits: LimitSettings
  network: Network
  /** A clock that never steps, in ms. */
  now?: () => number
}

/**
 * Bounds the number of open connections. Those that have not shown a valid token (strangers) share a small pool, bounded per
 * address; the idlest are closed to make room, so that a new one is always accepted. Those that have are counted per token,
 * wherever they come from: behind a relay, a proxy or a tunnel all clients have one address.
 */
export class Connections {
  readonly #network: Network
  readonly #now: () => number
  readonly #maxStrangers: number
  readonly #maxPerAddress: number
  readonly #maxKnown: number
  readonly #maxPerToken: number
  readonly #all = new Map<Socket, Connection>()
  readonly #perGroup = new Map<string, number>()
  readonly #perToken = new Map<string, number>()
  #strangers = 0
  #trimming: NodeJS.Timeout | undefined

  constructor({ limits, network, now }: ConnectionsOptions) {
    this.#network = network
    this.#now = now ?? (() => performance.now())
    this.#maxStrangers = limits?.strangers?.connections ?? Infinity
    this.#maxPerAddress = limits?.strangers?.perAddress ?? Infinity
    this.#maxKnown = limits?.connections ?? Infinity
    this.#maxPerToken = limits?.connectionsPerToken ?? Infinity
  }

  /** Records a new connection. */
  opened(socket: Socket): void {
    const { address, isProxy } = this.#network.peerOf(socket)
    const now = this.#now()
    const connection: Connection = {
      socket,
      group: clientGroup(address),
      isProxy,
      tokenId: undefined,
      open: 0,
      hasAsked: false,
      openedAt: now,
      activeAt: now,
    }
    this.#all.set(socket, connection)
    this.#count(connection, 1)
    if (this.#strangers > burst * this.#maxStrangers) this.#closeLargestGroup(socket)
    this.#trimSoon(connection)
  }

  /** Records a finished TLS handshake: from now on the connection is identified by its TLS socket. */
  secured(carrier: Socket, secure: Socket): void {
    const connection = this.#all.get(carrier)
    if (!connection) return
    this.#all.delete(carrier)
    connection.socket = secure
    this.#all.set(secure, connection)
  }

  closed(socket: Socket): void {
    const connection = this.#all.get(socket)
    if (!connection) return
    this.#all.delete(socket)
    this.#count(connection, -1)
  }

  /** Records a new request. Returns a function to call once when its response was written or abandoned. */
  asked(socket: Socket): () => void {
    const connection = this.#all.get(socket)
    if (!connection) return () => {}
    connection.open++
    connection.hasAsked = true
    connection.activeAt = this.#now()
    return () => {
      connection.open--
      connection.activeAt = this.#now()
      if (connection.tokenId === undefined) this.#trimSoon(connection)
    }
  }

  /** Records that a request has shown a valid token. Throws `rate_limited` or `unavailable` when there are too many such connections. */
  proved(socket: Socket, tokenId: string): void {
    const connection = this.#all.get(socket)
    if (!connection || connection.tokenId === tokenId) return
    const ofToken = this.#perToken.get(tokenId) ?? 0
    if (ofToken >= this.#maxPerToken && !this.#closeIdlest(other => other.tokenId === tokenId)) {
      throw tooMany(`This token has ${ofToken} connections open, the maximum.`, retryMs, 'Close one first.')
    }
    const isStranger = connection.tokenId === undefined
    if (isStranger && this.counts.known >= this.#maxKnown && !this.#closeIdlest(other => other.tokenId !== undefined)) {
      throw new ClaudeNetError(
        'unavailable',
        'The hub has too many connections open.',
        'Try again in a moment.',
        retryMs,
      )
    }
    this.#become(connection, tokenId)
  }

  /** Turns the connections of a revoked token into strangers again. */
  revoked(tokenId: string): void {
    for (const connection of this.#all.values()) {
      if (connection.tokenId !== tokenId) continue
      this.#become(connection, undefined)
      this.#trimSoon(connection)
    }
  }

  /** Returns the key by which responses are counted: the token of the connection, or the address of a stranger. */
  clientOf(socket: Socket): string {
    const connection = this.#all.get(socket)
    return connection?.tokenId ?? `stranger ${connection?.group}`
  }

  /** Numbers of open connections that have shown a valid token (`known`), and of those that have not. */
  get counts(): { known: number; strangers: number } {
    return { known: this.#all.size - this.#strangers, strangers: this.#strangers }
  }

  #become(connection: Connection, tokenId: string | undefined): void {
    this.#count(connection, -1)
    connection.tokenId = tokenId
    this.#count(connection, 1)
  }

  #count({ tokenId, group }: Connection, by: 1 | -1): void {
    if (tokenId === undefined) this.#strangers += by
    if (tokenId === undefined) raise(this.#perGroup, group, by)
    else raise(this.#perToken, tokenId, by)
  }

  /** Closes the idlest connection without an open request for which `may` holds. Returns whether there was one. */
  #closeIdlest(may: (connection: Connection) => boolean): boolean {
    let idlest: Connection | undefined
    for (const connection of this.#all.values()) {
      if (connection.open > 0 || !may(connection)) continue
      if (!idlest || connection.activeAt < idlest.activeAt) idlest = connection
    }
    if (idlest) this.#close(idlest)
    return idlest !== undefined
  }

  /** Closes the idlest strangers of the address that has the most, but not `newest`. Several at once, as more are likely to follow. */
  #closeLargestGroup(newest: Socket): void {
    const [largest] = [...this.#perGroup].reduce((a, b) => (b[1] > a[1] ? b : a))
    const group = this.#strangersWhere(({ group, socket }) => group === largest && socket !== newest)
    for (const connection of group.slice(0, Math.ceil(this.#maxStrangers / 4))) this.#close(connection)
  }

  /**
   * Schedules the closing of strangers above their bounds, after the requests that have already arrived were read, so that no connection is
   * closed that has sent a token.
   */
  #trimSoon({ group, isProxy }: Connection): void {
    const isFull = this.#strangers > this.#maxStrangers
    if (this.#trimming || !(isFull || (!isProxy && this.#perGroup.get(group)! > this.#maxPerAddress))) return
    this.#trimming = setTimeout(() => setImmediate(() => this.#trim()), 100).unref()
  }

  #trim(): void {
    this.#trimming = undefined
    const newest = this.#now() - graceMs
    const candidates = this.#strangersWhere(({ hasAsked, openedAt }) => hasAsked || openedAt < newest)
    const left = candidates.filter(connection => {
      const isCrowd = !connection.isProxy && this.#perGroup.get(connection.group)! > this.#maxPerAddress
      if (isCrowd) this.#close(connection)
      return !isCrowd
    })
    // After those above the bound of their address, so that one address does not displace others.
    for (const connection of left.slice(0, Math.max(0, this.#strangers - this.#maxStrangers))) this.#close(connection)
    // The others are new; those above a bound are closed after their grace period.
    for (const connection of this.#all.values()) {
      if (this.#trimming) return
      if (connection.tokenId === undefined) this.#trimSoon(connection)
    }
  }

  /** Returns strangers in the order in which they are closed: those without an open request first, and the idlest first among these. */
  #strangersWhere(holds: (connection: Connection) => boolean): Connection[] {
    const strangers = [...this.#all.values()].filter(each => each.tokenId === undefined && holds(each))
    return strangers.sort((a, b) => Math.sign(a.open) - Math.sign(b.open) || a.activeAt - b.activeAt)
  }

  #close({ socket }: Connection): void {
    this.closed(socket)
    socket.destroy()
  }
}

function raise(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
