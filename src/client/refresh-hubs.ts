import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { isLoopback } from '../protocol/hub-address.ts'
import type { HubsAnswer } from '../protocol/hubs.ts'
import { hubsRoutes } from '../protocol/routes/hubs.ts'
import { noSshHost, SshHost } from '../protocol/ssh-host.ts'
import type { Config, Home } from './home.ts'
import type { HubClient } from './hub-client.ts'
import { type HubEntry, homeWay, maxOtherHubs, otherWay } from './hubs.ts'
import { provenBy } from './proven-way.ts'

/**
 * Fetches the list of the other hubs from a hub that has proven its identity, and writes it into config.json if it has changed. The entries
 * of the machine's own hub and of the hub in use stay. Returns whether the list has changed. Throws errors of the hub and the disk; an older
 * hub without this route counts as one without other hubs.
 */
export async function refreshHubs(home: Home, client: HubClient, wayNow: () => { id: string }): Promise<boolean> {
  const before = home.credentials()
  // If the hub proves nothing, another program on its port could send this machine anywhere.
  if (provenBy(before) === undefined) return false
  const { hubs: listed } = await client.call(hubsRoutes.listHubs).catch(error => {
    if (error instanceof Error && 'code' in error && error.code === 'not_found') return { hubs: [] }
    throw error
  })
  const now = home.credentials()
  // This machine has joined another hub meanwhile.
  if (now.token !== before.token || homeWay(now.config).id !== homeWay(before.config).id) return false
  const hubs = entriesFor(now.config, listed, wayNow().id)
  if (isDeepStrictEqual(hubs, now.config.hubs ?? [])) return false
  home.writeConfig({ hubs: hubs.length > 0 ? hubs : undefined })
  return true
}

/** Returns the new entries for `hubs` of `config`: the hub's list, and always the way `inUse` that the list came by. */
export function entriesFor(config: Config, listed: HubsAnswer['hubs'], inUse: string): HubEntry[] {
  const own = homeWay(config)
  const isOwn = ({ hubKey, self }: HubsAnswer['hubs'][number]) =>
    (hubKey !== null && hubKey === config.hubKey) || (self && inUse === own.id)
  const entries = listed.flatMap((hub): HubEntry[] => {
    const entry = isOwn(hub) ? undefined : entryFor(config, hub)
    return entry ? [entry] : []
  })
  const known = (Array.isArray(config.hubs) ? config.hubs : []) as HubEntry[]
  const isListed = (entry: HubEntry) => entries.some(({ hubKey }) => hubKey !== undefined && hubKey === entry.hubKey)
  const kept = known.filter(
    entry => idOf(entry) === inUse && !isListed(entry) && !entries.some(each => idOf(each) === inUse),
  )
  // Each machine has its own order, so that the machines of a failed hub spread over the others.
  const turn = (entry: HubEntry) =>
    createHash('sha256')
      .update(`${config.machine} ${idOf(entry)}`)
      .digest('hex')
  return [...entries, ...kept].sort((a, b) => (turn(a) < turn(b) ? -1 : 1)).slice(0, maxOtherHubs)
}

/** Returns this machine's entry for another hub: through ssh if its own hub is reached so and the other hub allows it. */
function entryFor(config: Config, { url, ssh, hubKey }: HubsAnswer['hubs'][number]): HubEntry | undefined {
  const own = homeWay(config).hub
  const leadsHere = url !== null && URL.canParse(url) && isLoopback(new URL(url))
  const host = SshHost.safeParse(ssh)
  if (config.sshHost !== noSshHost && host.success && hubKey !== null) {
    // If the machine's own hub has a loopback address on its ssh host, the others are assumed to have the same on theirs.
    const address = isLoopback(own) && !leadsHere ? `http://${own.host}` : url
    return address === null ? undefined : valid({ sshHost: host.data, hub: address, hubKey })
  }
  // A loopback address is of use only on the same host.
  if (url === null || (leadsHere && !(isLoopback(own) && config.sshHost === noSshHost))) return undefined
  // If the own hub is verified by the certificate of a proxy, the others are behind such a proxy, too.
  const isProxy = config.hubKey === undefined && url.startsWith('https:')
  return valid({ hub: url, ...(!isProxy && hubKey !== null && { hubKey }) })
}

function valid(entry: HubEntry): HubEntry | undefined {
  return typeof otherWay(entry) === 'string' ? undefined : entry
}

function idOf(entry: HubEntry): string | undefined {
  const way = otherWay(entry)
  return typeof way === 'string' ? undefined : way.id
}
