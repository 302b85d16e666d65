import { HubClient } from '../client/hub-client.ts'
import { DirectTransport } from '../client/transport/direct.ts'
import { ownInterfaces } from '../client/transport/interfaces.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { isLoopback, likelyOrigins } from '../protocol/hub-address.ts'
import type { HubKey } from '../protocol/hub-key.ts'

/** Timeout of a request, in ms. */
const probeTimeoutMs = 1000

/** Address at which a new machine reaches a hub. */
export interface Reachable {
  origin: string
  /** Other addresses at which the hub answers. */
  others: string[]
}

/**
 * Addresses under which others may reach a hub that this host knows as `hub`, the likeliest first. With `hubKey` only the hub of that
 * key counts.
 */
export async function reachableAt(hub: URL, hubKey: HubKey | undefined): Promise<Reachable> {
  if (!isLoopback(hub)) return { origin: hub.origin, others: [] }
  const candidates = likelyOrigins(ownInterfaces(), hub.port || 80)
  // A hub may listen on one of the addresses only.
  const answers = await Promise.all(candidates.map(origin => ask(new URL(origin), hubKey)))
  const answering = candidates.filter((_, index) => answers[index] === 'hub')
  // The hub refuses requests from outside its networks, but the address is one of the hub's.
  const refused = candidates.filter((_, index) => refusedBy(answers[index]!))
  const [origin = hub.origin] = [...answering, ...refused]
  return { origin, others: answering.filter(other => other !== origin) }
}

/**
 * Why a machine would be refused at `address`, in a sentence, or not find the hub there; undefined where nothing speaks against
 * it. Seen from `via` the address is another host's: what can be asked is only whether the hub, at `hub`, answers to its name.
 */
export async function whyUnreachable(
  address: URL,
  { hub, via, hubKey }: { hub: URL; via: string | undefined; hubKey: HubKey | undefined },
): Promise<string | undefined> {
  const byName = refusedBy(await ask(hub, hubKey, address.host))
  if (byName) return `${address.origin} would be refused. ${byName.message} ${byName.hint}`
  if (via !== undefined) return undefined
  const answer = await ask(address, hubKey)
  const refused = refusedBy(answer)
  if (refused) return `A machine at ${address.origin} would be refused. ${refused.message} ${refused.hint}`
  return answer === 'hub' ? undefined : `From this host no hub answers at ${address.origin}. ${answer.message}`
}

function refusedBy(answer: 'hub' | ClaudeNetError): ClaudeNetError | undefined {
  return answer !== 'hub' && answer.code === 'forbidden' ? answer : undefined
}

/**
 * Asks for what is for everyone inside the hub's networks, by TLS of `hubKey` if there is one, and by another name if need be. Answers
 * `hub`, or why there is none.
 */
async function ask(address: URL, hubKey: HubKey | undefined, host = address.host): Promise<'hub' | ClaudeNetError> {
  const direct = new DirectTransport(address, hubKey)
  const transport = {
    label: direct.label,
    opened: () => direct.opened(),
    close: () => direct.close(),
    request: (request: Parameters<typeof direct.request>[0]) =>
      direct.request({ ...request, headers: { ...request.headers, host } }),
  }
  const client = new HubClient({ transport, timeoutMs: probeTimeoutMs })
  try {
    await client.call(api.clientInfo)
    return 'hub'
  } catch (error) {
    if (error instanceof ClaudeNetError) return error
    throw error
  } finally {
    client.close()
  }
}
