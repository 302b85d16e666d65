import { diskTrouble } from '../../disk/replace-file.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { KeyAnswer, KeyChain } from '../../protocol/key-chain.ts'
import type { Hub } from '../hub.ts'
import type { HubIdentity } from '../identity/identity.ts'
import { rotateIdentity } from '../identity/rotate.ts'
import { machinesWithToken } from '../state/query/members.ts'
import type { Handlers } from './handler.ts'
import type { PlainRequests } from './plain-requests.ts'

export interface KeyParts {
  dataDir: string
  identity: () => HubIdentity | undefined
  plain: PlainRequests
  /** Uses `identity` for new connections from now on. */
  prove: (identity: HubIdentity) => void
}

/** `GET /hub-key.json`, `GET /v1/admin/key`, `POST /v1/admin/key/rotate`. */
export function keyRoutes({
  dataDir,
  identity,
  plain,
  prove,
}: KeyParts): Pick<Handlers, 'hubKey' | 'getKey' | 'rotateKey'> {
  let isRotating = false
  const present = () => {
    const present = identity()
    if (present) return present
    throw new ClaudeNetError('unavailable', 'This hub has no key and does not speak TLS.', 'Its log says why.')
  }
  return {
    hubKey: () => chainOf(present()),
    getKey: () => answerOf(present()),
    rotateKey: async ({ hub, body }) => {
      const { hubKey: before, isOwn } = present()
      if (isOwn) {
        throw new ClaudeNetError(
          'conflict',
          "The hub's key comes from the files named in 'tls' of hub.json, which the hub does not replace.",
          'Replace these files and reload the hub. Machines that pinned the key must join again.',
        )
      }
      if (isRotating) throw new ClaudeNetError('conflict', 'The key is being replaced already.', 'See: claude-net key')
      isRotating = true
      try {
        const next = await rotateIdentity(dataDir, body).catch(inWords)
        prove(next)
        return { ...answerOf(next), before, mustJoin: body.compromised ? pinnedMachines(hub, plain) : [] }
      } finally {
        isRotating = false
      }
    },
  }
}

/** Returns the names of machines that may have pinned the key: those with a token that sent no request without TLS lately. */
function pinnedMachines({ state }: Hub, plain: PlainRequests): string[] {
  const plainly = new Set(plain.members.map(({ name }) => name))
  return machinesWithToken(state.db).filter(name => !plainly.has(name))
}

function chainOf({ hubKey, links }: HubIdentity): KeyChain {
  return { hubKey, links: [...links] }
}

function answerOf(identity: HubIdentity): KeyAnswer {
  const { madeAt, isOwn } = identity
  return { ...chainOf(identity), madeAt, isOwn }
}

function inWords(error: NodeJS.ErrnoException): never {
  if (error.syscall === undefined) throw error
  throw new ClaudeNetError(
    'unavailable',
    `The new key cannot be stored: ${diskTrouble(error)}. The hub keeps its current key.`,
    'Fix that, then run it again.',
  )
}
