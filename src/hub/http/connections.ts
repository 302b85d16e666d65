import type { Socket } from 'node:net'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { LimitSettings } from '../config/door.ts'
import { tooMany } from './limits.ts'
import { clientGroup, type Network } from './network.ts'

/** How long a new connection may take to show what it is before it counts as idle, in ms: a tunnel passes a request on late. */
const graceMs = 2000

/** Strangers may be this many times their pool for a moment: many clients behind one relay come at once. */
const rush = 8

/** When a client with too many connections should try again, in ms. */
const retryMs = 1000

interface Connection {
  socket: Socket
  /** Whom an address counts as, see `clientGroup`. */
  group: string
  isProxy: boolean
  /** The token that was shown last; undefined for a stranger. */
  tokenId: string | undefined
  /** Requests that were not answered whole, a stream among them. */
  open: number
  hasAsked: boolean
  /** When it was opened, and when it last began or ended a request; monotonic, in ms. */
  openedAt: number
  activeAt: number
}

export interface ConnectionsOptions {
  limits: LimitSettings
  network: Network
  /** A clock that never steps, in ms. */
  now?: () => number
}

/**
 * How many connections may be open. Those that have not shown a valid token (strangers) share a small pool, bounded for each
 * address; the idlest are closed to make room, so that a new one is always heard. Those that have are counted for each token,
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

  /** A client has connected. */
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
    if (this.#strangers > rush * this.#maxStrangers) this.#closeLargestGroup(socket)
    this.#trimSoon(connection)
  }

  /** A connection has finished its handshake: from now on it is told of by the socket of TLS over it. */
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

  /** A request has come. Returns a function to call once when its answer was written, or never will be. */
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

  /** A request has shown a valid token. Throws `rate_limited` or `unavailable` when there are too many such connections. */
  proved(socket: Socket, tokenId: string): void {
    const connection = this.#all.get(socket)
    if (!connection || connection.tokenId === tokenId) return
    const ofToken = this.#perToken.get(tokenId) ?? 0
    if (ofToken >= this.#maxPerToken && !this.#closeIdlest(other => other.tokenId === tokenId)) {
      throw tooMany(`This token has ${ofToken} connections open, the most there may be.`, retryMs, 'Close one first.')
    }
    const isStranger = connection.tokenId === undefined
    if (isStranger && this.counts.known >= this.#maxKnown && !this.#closeIdlest(other => other.tokenId !== undefined)) {
      throw new ClaudeNetError('unavailable', 'The hub has no connection left.', 'Try again in a moment.', retryMs)
    }
    this.#become(connection, tokenId)
  }

  /** A token has stopped counting: who showed it is a stranger again. */
  revoked(tokenId: string): void {
    for (const connection of this.#all.values()) {
      if (connection.tokenId !== tokenId) continue
      this.#become(connection, undefined)
      this.#trimSoon(connection)
    }
  }

  /** Whose answers are counted together: those of a token, or those of an address without one. */
  clientOf(socket: Socket): string {
    const connection = this.#all.get(socket)
    return connection?.tokenId ?? `stranger ${connection?.group}`
  }

  /** Open connections that have shown a valid token, and those that have not. */
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

  /** Closes the idlest connection of those that `may` be closed and have no open request. Returns whether there was one. */
  #closeIdlest(may: (connection: Connection) => boolean): boolean {
    let idlest: Connection | undefined
    for (const connection of this.#all.values()) {
      if (connection.open > 0 || !may(connection)) continue
      if (!idlest || connection.activeAt < idlest.activeAt) idlest = connection
    }
    if (idlest) this.#close(idlest)
    return idlest !== undefined
  }

  /** Closes the idlest strangers of the address that has the most, but not `newest`. Several at once, for they keep coming. */
  #closeLargestGroup(newest: Socket): void {
    const [largest] = [...this.#perGroup].reduce((a, b) => (b[1] > a[1] ? b : a))
    const group = this.#strangersWhere(({ group, socket }) => group === largest && socket !== newest)
    for (const connection of group.slice(0, Math.ceil(this.#maxStrangers / 4))) this.#close(connection)
  }

  /** Brings the strangers back to their bounds: behind what has already arrived, so that nobody is closed who has shown a token. */
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
    // A crowd of one address takes no place of others.
    for (const connection of left.slice(0, Math.max(0, this.#strangers - this.#maxStrangers))) this.#close(connection)
    // The rest are new. What is too many of them is closed when they have had their time.
    for (const connection of this.#all.values()) {
      if (this.#trimming) return
      if (connection.tokenId === undefined) this.#trimSoon(connection)
    }
  }

  /** Strangers, in the order in which they are closed: first those without an open request, of these the idlest first. */
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
