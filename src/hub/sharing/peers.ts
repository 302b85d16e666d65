import * as z from 'zod'
import { HubKey } from '../../protocol/hub-key.ts'
import { HubName } from '../../protocol/hubs.ts'

/** Where on the board a hub says how other hubs reach it: one with an empty store has no list of them. */
export const peerTopic = 'peer'

const PeerWays = z.object({
  urls: z.array(z.url({ protocol: /^https$/ }).max(300)).max(32),
  hubKey: HubKey,
})

/** A hub of the same log, as it says where it is reached: addresses with TLS, and the key that it proves there. */
export type Peer = z.output<typeof PeerWays> & { name: string }

export function peerValue(ways: z.input<typeof PeerWays>): string {
  return JSON.stringify(ways)
}

/** The other hubs among those that show themselves; what is not of the right form is left out. */
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
