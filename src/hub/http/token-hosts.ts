import { hostPattern } from '../../protocol/host-header.ts'
import type { Identity } from '../auth/identify.ts'

/** Time within which a token must return to an earlier host to count as used from two at once, in ms. A machine that moves does not return. */
const returnWithinMs = 60_000

/** Time for which two hosts are reported after they were last seen together, and least time between two audit lines of one token, in ms. */
const reportForMs = 3_600_000

/** Most hosts and addresses stored for one token, and most tokens. */
const maxHosts = 8
const maxTokens = 10_000

/** Two hosts that one token was used from at once; `at` in ms since 1970. */
export interface Shared {
  member: number
  hosts: string[]
  at: number
}

interface Track {
  /** The header and address of the last request, unparsed: the next request usually has the same. */
  raw: string
  hostId: string
  lastAt: number
  /** Host of its last request to this hub. */
  hostIdHere: string
  /** Earlier hosts of the token, with the time of its last request from each. */
  before: Map<string, number>
  /** Host id last seen at each address. */
  hostAt: Map<string, string>
  /** Name of each host for people. */
  labels: Map<string, string>
  shared?: Shared
  reportedAt: number
}

export interface TokenHostsOptions {
  /** Called when a token is used from two hosts at once; once an hour per token at most. */
  onShared: (identity: Identity, address: string, hosts: readonly string[]) => void
  /** A clock that never steps, in ms. */
  monotonic?: () => number
}

/** Publishes to the other hubs of this history. */
export interface TokenHostsPublisher {
  /** Called when a token is used at this hub from another host than before, or for the first time. `label` names the host for people. */
  moved(tokenId: string, hostId: string, label: string): void
  shared(tokenId: string, shared: Shared): void
}

/**
 * Detects a token that is used from two hosts at once: requests from one, from another, and from the first again within a
 * minute. The client names its host in a header, which a thief could forge: it can raise or hide a warning and
 * nothing else. Without the header the host is the one last seen at that address, or else the address. A loopback address
 * identifies no host: every connection through SSH has it.
 */
export class TokenHosts {
  readonly #options: TokenHostsOptions
  readonly #monotonic: () => number
  readonly #tracks = new Map<string, Track>()
  /** Undefined for a standalone hub. */
  publisher: TokenHostsPublisher | undefined

  constructor(options: TokenHostsOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  /** Records a request with a valid token from `address`. `header` is its host header. */
  saw(identity: Identity, address: string, header: string | undefined): void {
    const raw = `${address} ${header ?? ''}`
    const track = this.#tracks.get(identity.tokenId)
    const now = this.#monotonic()
    if (track?.raw === raw) {
      track.lastAt = now
      return
    }
    this.#moved(identity, address, header, { raw, now, track })
  }

  /** Records that a token was used at another hub from `hostId`: if it then returns to its host here, it is used from two. */
  sawElsewhere(tokenId: string, hostId: string, label: string): void {
    const track = this.#tracks.get(tokenId) ?? this.#begin(tokenId)
    keep(track.labels, hostId, label)
    if (track.hostId !== '' && track.hostId !== hostId) keep(track.before, track.hostId, track.lastAt)
    Object.assign(track, { raw: '', hostId, lastAt: this.#monotonic() })
  }

  /** Records that another hub has detected a token that is used from two hosts. */
  sharedElsewhere(tokenId: string, shared: Shared): void {
    const track = this.#tracks.get(tokenId) ?? this.#begin(tokenId)
    if ((track.shared?.at ?? 0) < shared.at) track.shared = shared
  }

  /** Returns the tokens that were lately used from two hosts at once; with `member`, only that member's. */
  sharedTokens(member?: number): Shared[] {
    const newest = Date.now() - reportForMs
    return [...this.#tracks.values()]
      .flatMap(({ shared }) => (shared && shared.at > newest ? [shared] : []))
      .filter(shared => member === undefined || shared.member === member)
  }

  #moved(
    identity: Identity,
    address: string,
    header: string | undefined,
    { raw, now, track = this.#begin(identity.tokenId) }: { raw: string; now: number; track: Track | undefined },
  ): void {
    const named = hostPattern.exec(header ?? '')
    if (named) keep(track.hostAt, address, named[1]!)
    const host = track.hostAt.get(address)
    if (!host && isLoopback(address)) return
    const hostId = host ?? address
    keep(
      track.labels,
      hostId,
      named?.[2] ? `${hostToken(named[2])} (${address})` : (track.labels.get(hostId) ?? address),
    )
    const wasHereAt = track.before.get(hostId)
    if (track.hostId !== '' && track.hostId !== hostId) {
      keep(track.before, track.hostId, track.lastAt)
      if (wasHereAt !== undefined && now - wasHereAt < returnWithinMs)
        this.#share(identity, address, track, hostId, now)
    }
    Object.assign(track, { raw, hostId, lastAt: now })
    if (hostId === track.hostIdHere) return
    track.hostIdHere = hostId
    this.publisher?.moved(identity.tokenId, hostId, track.labels.get(hostId)!)
  }

  #share(identity: Identity, address: string, track: Track, hostId: string, now: number): void {
    const hosts = [hostId, track.hostId].map(each => track.labels.get(each) ?? each).sort()
    track.shared = { member: identity.member, hosts, at: Date.now() }
    if (now - track.reportedAt < reportForMs) return
    track.reportedAt = now
    this.publisher?.shared(identity.tokenId, track.shared)
    this.#options.onShared(identity, address, hosts)
  }

  #begin(tokenId: string): Track {
    const track: Track = {
      raw: '',
      hostId: '',
      hostIdHere: '',
      lastAt: 0,
      before: new Map(),
      hostAt: new Map(),
      labels: new Map(),
      reportedAt: Number.NEGATIVE_INFINITY,
    }
    keep(this.#tracks, tokenId, track, maxTokens)
    return track
  }
}

/** Sets `key`, and evicts the key that was set longest ago when there are more than `max`. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value, max = maxHosts): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > max) map.delete(map.keys().next().value!)
}

/** Returns the name that a host gives itself, reduced to the characters of a host name: it is shown to other holders of the token. */
function hostToken(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '?')
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}
