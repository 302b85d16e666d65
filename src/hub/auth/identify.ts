import { AddressRanges } from '../../protocol/address-range.ts'
import { adminSocketFile } from '../../protocol/admin-socket.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { bearerToken, hashToken, parseToken, type Role, sameHash } from '../../protocol/token.ts'
import type { Hub } from '../hub.ts'
import { type EndedToken, endedTokenById, tokenById } from '../state/query/members.ts'
import { timestamp } from '../state/timestamp.ts'

/** The sender of a request, derived from its token alone. For an admin, who has no inbox, `member` is 0 and `name` 'admin'. */
export interface Identity {
  member: number
  name: string
  role: Role
  /** The public part of the token; of a session of the console `console-ID`. */
  tokenId: string
  /** Time from which its machine should renew the token, in steady time; absent for a token that is not renewed. */
  renewFrom?: number
  /** Time at which the token expires, in steady time; absent for one that does not. */
  limit?: number
  /** Public id of the console session that was used instead of a token. */
  session?: string
  /** Addresses from which the token may be used; absent where it may be used from any. */
  boundTo?: AddressRanges
}

/** Identity of a request over the admin's socket without a token: access to the socket is the proof. Its name replaces a token's id. */
export const socketAdmin: Identity = { member: 0, name: 'admin', role: 'admin', tokenId: adminSocketFile }

/** Stands in for the hash when no token has the id, so that an unknown id takes as long as a wrong secret. */
const noHash = Buffer.alloc(32)

/** Most cached identities: far more than valid tokens, so that only a flood of members could fill the cache. */
const maxKept = 10_000

/**
 * Identifies the sender of a request. A valid header is cached until any token becomes invalid, so that a busy sender is looked up
 * and hashed once.
 */
export class Identities {
  readonly #hub: Hub
  readonly #proven = new Map<string, Identity>()

  constructor(hub: Hub) {
    this.#hub = hub
    hub.onRevoked(tokenId => {
      this.#proven.clear()
      hub.tokenUses.forget(tokenId)
    })
    hub.onTokensChanged(() => this.#proven.clear())
  }

  /** Returns the identity for an `Authorization` header. Throws `unauthorized` without saying which part was wrong. */
  of(authorization: string | undefined): Identity {
    const known = authorization === undefined ? undefined : this.#proven.get(authorization)
    const identity = known ?? prove(this.#hub, authorization)
    this.#hub.tokenUses.saw(identity.tokenId)
    if (known) return known
    if (this.#proven.size >= maxKept) this.#proven.clear()
    this.#proven.set(authorization!, identity)
    return identity
  }
}

function prove(hub: Hub, authorization: string | undefined): Identity {
  const { db } = hub.state
  const token = bearerToken(authorization)
  if (token === undefined) throw unauthorized('This request carries no token.')
  const parsed = parseToken(token)
  if (!parsed) throw unauthorized('This is not a Claude Net token, or it was cut or mistyped.')
  const stored = tokenById(db, parsed.id)
  const before = stored ? undefined : endedTokenById(db, parsed.id)
  const matches = sameHash(hashToken(token), (stored ?? before)?.hash ?? noHash)
  if (before && matches) throw hasEnded(before)
  if (!stored || !matches) throw unauthorized('This token is not, or no longer, valid here.')
  if (stored.limit !== null && stored.limit <= hub.steadyNow)
    throw hasEnded({ why: 'age', at: Date.now(), name: stored.name! })
  return {
    member: stored.member ?? 0,
    name: stored.name ?? 'admin',
    role: stored.role,
    tokenId: stored.id,
    ...(stored.renewFrom !== null && { renewFrom: stored.renewFrom }),
    ...(stored.limit !== null && { limit: stored.limit }),
    ...(stored.boundTo !== null && { boundTo: new AddressRanges(JSON.parse(stored.boundTo) as string[]) }),
  }
}

function unauthorized(message: string, name = 'NAME'): ClaudeNetError {
  return new ClaudeNetError('unauthorized', message, `Ask the admin of the hub for: claude-net invite ${name}`)
}

/** Errors for complete tokens that are no longer valid: such requests are no guesses. */
const ended = new WeakSet<object>()

/** Reports whether an error of `Identities` is about a token that once was valid. */
export function isOfEndedToken(error: unknown): boolean {
  return typeof error === 'object' && error !== null && ended.has(error)
}

/** Returns the error for a request with the complete token, whose sender is or was this member. */
function hasEnded({ why, at, name }: Pick<EndedToken, 'why' | 'at' | 'name'>): ClaudeNetError {
  const when = timestamp(at).slice(0, 10)
  const error = unauthorized(
    why === 'age'
      ? `This token of ${name} reached the age at which tokens end here, on ${when}, before its machine renewed it. Inbox and outbox stay.`
      : `This token of ${name} was renewed, and this copy of it ended on ${when}. If nobody else should have the newer one, it was stolen.`,
    name,
  )
  ended.add(error)
  return error
}

/** Throws `forbidden` where a token may not be used from `address`. Does not reveal where it may be used. */
export function checkAddress({ boundTo, name }: Pick<Identity, 'boundTo' | 'name'>, address: string): void {
  if (!boundTo || boundTo.has(address)) return
  throw new ClaudeNetError(
    'forbidden',
    `The token of ${name} may not be used from ${address || 'a socket of this host'}: it is bound to other addresses.`,
    `If ${name} has moved, the admin of the hub says from where: claude-net bind ${name} --from RANGE. Through ssh a machine comes from the address of the host that ssh leads to, or from loopback.`,
  )
}
