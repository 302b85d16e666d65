import * as z from 'zod'
import { HubKey } from '../../protocol/hub-key.ts'
import { HubName } from '../../protocol/hubs.ts'

/** Topic under which a hub publishes how other hubs reach it: a hub with an empty store has no list of them. */
export const peerTopic = 'peer'

const PeerWays = z.object({
  urls: z.array(z.url({ protocol: /^https$/ }).max(300)).max(32),
  hubKey: HubKey,
})

/** Another hub of the same log, with its TLS URLs and its key. */
export type Peer = z.output<typeof PeerWays> & { name: string }

export function peerValue(ways: z.input<typeof PeerWays>): string {
  return JSON.stringify(ways)
}

/** Parses the published URLs of the other hubs; skips malformed ones. */
export function readPeers(shown: ReadonlyMap<string, string>, own: string): Peer[] {
  return [...shown].flatMap(([name, value]) => {
    const ways = PeerWays.safeParse(parsed(value))
    return ways.success && HubName.safeParse(name).success && name !== own ? [{ name, ...ways.data }] : []
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
