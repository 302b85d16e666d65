import * as z from 'zod'
import { provenAddress } from '../protocol/hub-address.ts'
import { HubKey } from '../protocol/hub-key.ts'
import { noSshHost, SshHost } from '../protocol/ssh-host.ts'
import { type Config, hubOf } from './home.ts'

/** Most hubs that a machine goes to besides its own: more than any log has. */
export const maxOtherHubs = 15

/** One of `hubs` in config.json: another hub over the log of the machine's own. */
const HubEntry = z.looseObject({
  /** Its address, as seen from `sshHost` where that is given. */
  hub: z.url({ protocol: /^https?$/ }).optional(),
  sshHost: SshHost.optional(),
  hubKey: HubKey.optional(),
})
export type HubEntry = z.output<typeof HubEntry>

/** A hub of this machine, and the way there. */
export interface HubWay {
  /** What the way is: it stays the same when the hub gets another key. */
  id: string
  /** The hub's address, as seen from `sshHost` where there is one. */
  hub: URL
  /** `local`, or where ssh is to go. */
  sshHost: string
  /** The key that the hub has to prove. Without one an address of another hub is https, of a proxy whose certificate is verified. */
  hubKey: HubKey | undefined
}

/** The hubs of a configuration, the machine's own (`home`) first, and what is wrong with entries that are left out. */
export function hubsOf(config: Config): { ways: [HubWay, ...HubWay[]]; mistakes: string[] } {
  const home = homeWay(config)
  const ways: [HubWay, ...HubWay[]] = [home]
  const mistakes: string[] = []
  const { hubs = [] } = config
  if (!Array.isArray(hubs)) return { ways, mistakes: ['hubs: it is no list'] }
  if (hubs.length > maxOtherHubs) mistakes.push(`hubs: only the first ${maxOtherHubs} are used`)
  for (const [index, entry] of hubs.slice(0, maxOtherHubs).entries()) {
    const way = otherWay(entry)
    if (typeof way === 'string') mistakes.push(`hubs.${index}${way}`)
    // The machine's own hub may be in the list, by whichever address.
    else if (way.hubKey === undefined || ways.every(({ hubKey }) => hubKey !== way.hubKey)) {
      if (ways.every(({ id }) => id !== way.id)) ways.push(way)
    }
  }
  return { ways, mistakes }
}

/** The way to the machine's own hub. */
export function homeWay(config: Config): HubWay {
  const hub = hubOf(config)
  return { id: idOf(config.sshHost, hub), hub, sshHost: config.sshHost, hubKey: config.hubKey }
}

/** The way of an entry, or what is wrong with it. */
export function otherWay(entry: unknown): HubWay | string {
  const parsed = HubEntry.safeParse(entry)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return `${issue!.path.map(part => `.${String(part)}`).join('')}: ${issue!.message}`
  }
  const { hub, sshHost = noSshHost, hubKey } = parsed.data
  if (hub === undefined && sshHost === noSshHost) return ': it has neither hub nor sshHost'
  const address = hubOf({ hub, sshHost, hubKey })
  // The token goes to no hub that does not have to prove itself.
  if (hubKey === undefined && (sshHost !== noSshHost || address.protocol !== 'https:')) return ': it has no hubKey'
  return { id: idOf(sshHost, address), hub: address, sshHost, hubKey }
}

function idOf(sshHost: string, hub: URL): string {
  return `${sshHost} ${provenAddress(hub).host}`
}

/** What changes in a configuration when the hub of the key `from` has the key `to`. */
export function withNewKey({ hubKey, hubs }: Config, from: HubKey, to: HubKey): Partial<Config> {
  const isListed = (entry: unknown) => (entry as HubEntry | null)?.hubKey === from
  const renamed = (entry: unknown) => (isListed(entry) ? { ...(entry as HubEntry), hubKey: to } : entry)
  return {
    ...(hubKey === from && { hubKey: to }),
    ...(Array.isArray(hubs) && hubs.some(isListed) && { hubs: hubs.map(renamed) }),
  }
}
