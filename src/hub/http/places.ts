import { hostPattern } from '../../protocol/host-header.ts'
import type { Identity } from '../auth/identify.ts'

/** How soon a token must come back to where it was for it to be in two places at once, in ms. A machine that moves does not. */
const returnWithinMs = 60_000

/** How long two hosts are told of after they were last seen together, in ms; also how often they are noted down at most. */
const tellForMs = 3_600_000

/** Most places and addresses that are remembered of one token, and tokens altogether. */
const maxPlaces = 8
const maxTokens = 10_000

/** Two hosts that one token was used from at once; `at` in ms since 1970. */
export interface Shared {
  member: number
  hosts: string[]
  at: number
}

interface Track {
  /** The header and address of the last request as they came: mostly the next one has the same. */
  raw: string
  place: string
  lastAt: number
  /** Where its last request to this hub came from. */
  placeHere: string
  /** Where the token was before, with the time of its last request from there. */
  before: Map<string, number>
  /** Which host was last heard of from an address. */
  hostAt: Map<string, string>
  /** How a person would call a place. */
  labels: Map<string, string>
  shared?: Shared
  toldAt: number
}

export interface PlacesOptions {
  /** Hears of a token that is used from two hosts at once, once an hour at most. */
  onShared: (identity: Identity, address: string, hosts: readonly string[]) => void
  /** A clock that never steps, in ms. */
  monotonic?: () => number
}

/** What is told to the other hubs of this history. */
export interface PlacesTeller {
  /** A token is used at this hub from another place than before, or for the first time. `label` is what a person would call it. */
  moved(tokenId: string, place: string, label: string): void
  shared(tokenId: string, shared: Shared): void
}

/**
 * Notices a token that is used from two hosts at once: requests from one, from another, and from the first again within a
 * minute. Our client names its host in a header, which a thief could forge: it can raise or hide a warning and
 * nothing else. Without the header the host is whoever else was heard from that address, or the address. A loopback address
 * proves nothing: whatever comes through SSH has it.
 */
export class Places {
  readonly #options: PlacesOptions
  readonly #monotonic: () => number
  readonly #tracks = new Map<string, Track>()
  /** Absent where this hub stands alone. */
  teller: PlacesTeller | undefined

  constructor(options: PlacesOptions) {
    this.#options = options
    this.#monotonic = options.monotonic ?? (() => performance.now())
  }

  /** A request with a good token came from `address`. `header` is what it says of its host. */
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

  /** A token was used at another hub from this place: one that comes back to where it was here is in two places. */
  sawElsewhere(tokenId: string, place: string, label: string): void {
    const track = this.#tracks.get(tokenId) ?? this.#begin(tokenId)
    keep(track.labels, place, label)
    if (track.place !== '' && track.place !== place) keep(track.before, track.place, track.lastAt)
    Object.assign(track, { raw: '', place, lastAt: this.#monotonic() })
  }

  /** Another hub has noticed a token in two places. */
  sharedElsewhere(tokenId: string, shared: Shared): void {
    const track = this.#tracks.get(tokenId) ?? this.#begin(tokenId)
    if ((track.shared?.at ?? 0) < shared.at) track.shared = shared
  }

  /** Tokens that were lately used from two hosts at once; with `member`, its own only. */
  sharedTokens(member?: number): Shared[] {
    const newest = Date.now() - tellForMs
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
    const place = host ?? address
    keep(track.labels, place, named?.[2] ? `${hostToken(named[2])} (${address})` : (track.labels.get(place) ?? address))
    const wasHereAt = track.before.get(place)
    if (track.place !== '' && track.place !== place) {
      keep(track.before, track.place, track.lastAt)
      if (wasHereAt !== undefined && now - wasHereAt < returnWithinMs) this.#share(identity, address, track, place, now)
    }
    Object.assign(track, { raw, place, lastAt: now })
    if (place === track.placeHere) return
    track.placeHere = place
    this.teller?.moved(identity.tokenId, place, track.labels.get(place)!)
  }

  #share(identity: Identity, address: string, track: Track, place: string, now: number): void {
    const hosts = [place, track.place].map(each => track.labels.get(each) ?? each).sort()
    track.shared = { member: identity.member, hosts, at: Date.now() }
    if (now - track.toldAt < tellForMs) return
    track.toldAt = now
    this.teller?.shared(identity.tokenId, track.shared)
    this.#options.onShared(identity, address, hosts)
  }

  #begin(tokenId: string): Track {
    const track: Track = {
      raw: '',
      place: '',
      placeHere: '',
      lastAt: 0,
      before: new Map(),
      hostAt: new Map(),
      labels: new Map(),
      toldAt: Number.NEGATIVE_INFINITY,
    }
    keep(this.#tracks, tokenId, track, maxTokens)
    return track
  }
}

/** Sets `key`, and forgets what was set longest ago when there are too many. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value, max = maxPlaces): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > max) map.delete(map.keys().next().value!)
}

/** The name that a host gives itself, as a host name may be: it is shown to whoever has the same token. */
function hostToken(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '?')
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}
