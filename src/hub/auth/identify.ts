import { adminSocketFile } from '../../protocol/admin-socket.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { bearerToken, hashToken, parseToken, type Role, sameHash } from '../../protocol/token.ts'
import type { Hub } from '../hub.ts'
import { tokenById } from '../state/query/members.ts'

/** Who sent a request, by their token alone. `member` is 0 and `name` 'admin' for an admin, who has no inbox. */
export interface Identity {
  member: number
  name: string
  role: Role
  /** The public part of the token. */
  tokenId: string
}

/** Who asks over the admin's own socket without a token: being able to connect there is the proof. Its name stands where a token's id would. */
export const socketAdmin: Identity = { member: 0, name: 'admin', role: 'admin', tokenId: adminSocketFile }

/** Compared with when no token has the id, so that an unknown id takes as long as a wrong secret. */
const nobody = Buffer.alloc(32)

/** Most identities kept: far more than live tokens, so that only a flood of members could fill it. */
const maxKept = 10_000

/**
 * Tells who sent a request. A header that proved good is remembered until any token stops counting, so that a busy sender
 * is looked up and hashed once.
 */
export class Identities {
  readonly #hub: Hub
  readonly #proven = new Map<string, Identity>()

  constructor(hub: Hub) {
    this.#hub = hub
    hub.onRevoked(() => this.#proven.clear())
  }

  /** The identity behind an `Authorization` header. Throws `unauthorized` without saying which part was wrong. */
  of(authorization: string | undefined): Identity {
    const proven = authorization === undefined ? undefined : this.#proven.get(authorization)
    if (proven) return proven
    const identity = prove(this.#hub, authorization)
    if (this.#proven.size >= maxKept) this.#proven.clear()
    this.#proven.set(authorization!, identity)
    return identity
  }
}

function prove({ state }: Hub, authorization: string | undefined): Identity {
  const token = bearerToken(authorization)
  if (token === undefined) throw unauthorized('This request carries no token.')
  const parsed = parseToken(token)
  if (!parsed) throw unauthorized('This is not a Claude Net token, or it was cut or mistyped.')
  const stored = tokenById(state.db, parsed.id)
  const matches = sameHash(hashToken(token), stored?.hash ?? nobody)
  if (!stored || !matches) throw unauthorized('This token is not, or no longer, valid here.')
  return { member: stored.member ?? 0, name: stored.name ?? 'admin', role: stored.role, tokenId: stored.id }
}

function unauthorized(message: string): ClaudeNetError {
  return new ClaudeNetError('unauthorized', message, 'Ask the admin of the hub for: claude-net invite NAME')
}
