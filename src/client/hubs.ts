import * as z from 'zod'
import { provenAddress } from '../protocol/hub-address.ts'
import { HubKey } from '../protocol/hub-key.ts'
import { noSshHost, SshHost } from '../protocol/ssh-host.ts'
import { type Config, hubOf } from './home.ts'

/** Maximum number of hubs that a machine uses besides its own: more than any log has. */
export const maxOtherHubs = 15

/** One of `hubs` in config.json: another hub over the log of the machine's own. */
const HubEntry = z.looseObject({
  /** Its address, as seen from `sshHost` where that is given. */
  hub: z.url({ protocol: /^https?$/ }).optional(),
  sshHost: SshHost.optional(),
  hubKey: HubKey.optional(),
})
export type HubEntry = z.output<typeof HubEntry>

/** A hub of this machine, and how to reach it. */
export interface HubWay {
  /** Identifies the way. It stays the same when the hub gets another key. */
  id: string
  /** The hub's address, as seen from `sshHost` where there is one. */
  hub: URL
  /** `local`, or the destination of ssh. */
  sshHost: string
  /** The key that the hub has to prove. Without one, the address of another hub is https: a proxy whose certificate is verified. */
  hubKey: HubKey | undefined
}

/** Returns the hubs of a configuration, the machine's own first, and the mistakes in entries that are left out. */
export function hubsOf(config: Config): { ways: [HubWay, ...HubWay[]]; mistakes: string[] } {
  const home = homeWay(config)
  const ways: [HubWay, ...HubWay[]] = [home]
  const mistakes: string[] = []
  const { hubs = [] } = config
  if (!Array.isArray(hubs)) return { ways, mistakes: ['hubs: it is not a list'] }
  if (hubs.length > maxOtherHubs) mistakes.push(`hubs: only the first ${maxOtherHubs} are used`)
  for (const [index, entry] of hubs.slice(0, maxOtherHubs).entries()) {
    const way = otherWay(entry)
    if (typeof way === 'string') mistakes.push(`hubs.${index}${way}`)
    // The machine's own hub may be in the list, under any address.
    else if (way.hubKey === undefined || ways.every(({ hubKey }) => hubKey !== way.hubKey)) {
      if (ways.every(({ id }) => id !== way.id)) ways.push(way)
    }
  }
  return { ways, mistakes }
}

/** Returns the way to the machine's own hub. */
export function homeWay(config: Config): HubWay {
  const hub = hubOf(config)
  return { id: idOf(config.sshHost, hub), hub, sshHost: config.sshHost, hubKey: config.hubKey }
}

/** Returns the way of an entry, or the end of a sentence that says what is wrong with it. */
export function otherWay(entry: unknown): HubWay | string {
  const parsed = HubEntry.safeParse(entry)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return `${issue!.path.map(part => `.${String(part)}`).join('')}: ${issue!.message}`
  }
  const { hub, sshHost = noSshHost, hubKey } = parsed.data
  if (hub === undefined && sshHost === noSshHost) return ': it has neither hub nor sshHost'
  const address = hubOf({ hub, sshHost, hubKey })
  // The token is sent only to hubs that prove their identity.
  if (hubKey === undefined && (sshHost !== noSshHost || address.protocol !== 'https:')) return ': it has no hubKey'
  return { id: idOf(sshHost, address), hub: address, sshHost, hubKey }
}

function idOf(sshHost: string, hub: URL): string {
  return `${sshHost} ${provenAddress(hub).host}`
}

/** Returns the changes to a configuration when the hub with the key `from` gets the key `to`. */
export function withNewKey({ hubKey, hubs }: Config, from: HubKey, to: HubKey): Partial<Config> {
  const isListed = (entry: unknown) => (entry as HubEntry | null)?.hubKey === from
  const renamed = (entry: unknown) => (isListed(entry) ? { ...(entry as HubEntry), hubKey: to } : entry)
  return {
    ...(hubKey === from && { hubKey: to }),
    ...(Array.isArray(hubs) && hubs.some(isListed) && { hubs: hubs.map(renamed) }),
  }
}
