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
 * Takes over which other hubs there are from a hub that has proven itself, and writes them into config.json where they have changed. The
 * machine's own hub stays as it is, and so does the hub that answers here. Returns whether they have changed. Throws what the hub or the disk
 * refused; a hub of before, which knows no such list, refuses nothing.
 */
export async function refreshHubs(home: Home, client: HubClient, wayNow: () => { id: string }): Promise<boolean> {
  const before = home.credentials()
  // Whoever has the port of a hub that proves nothing could send this machine anywhere.
  if (provenBy(before) === undefined) return false
  const { hubs: told } = await client.call(hubsRoutes.listHubs).catch(error => {
    if (error instanceof Error && 'code' in error && error.code === 'not_found') return { hubs: [] }
    throw error
  })
  const now = home.credentials()
  // This machine has joined another hub meanwhile.
  if (now.token !== before.token || homeWay(now.config).id !== homeWay(before.config).id) return false
  const hubs = entriesFor(now.config, told, wayNow().id)
  if (isDeepStrictEqual(hubs, now.config.hubs ?? [])) return false
  home.writeConfig({ hubs: hubs.length > 0 ? hubs : undefined })
  return true
}

/** The entries for `hubs` of `config`: what a hub told, but never without the way `inUse`, by which that was told. */
export function entriesFor(config: Config, told: HubsAnswer['hubs'], inUse: string): HubEntry[] {
  const own = homeWay(config)
  const isOwn = ({ hubKey, self }: HubsAnswer['hubs'][number]) =>
    (hubKey !== null && hubKey === config.hubKey) || (self && inUse === own.id)
  const entries = told.flatMap((hub): HubEntry[] => {
    const entry = isOwn(hub) ? undefined : entryFor(config, hub)
    return entry ? [entry] : []
  })
  const known = (Array.isArray(config.hubs) ? config.hubs : []) as HubEntry[]
  const isTold = (entry: HubEntry) => entries.some(({ hubKey }) => hubKey !== undefined && hubKey === entry.hubKey)
  const kept = known.filter(
    entry => idOf(entry) === inUse && !isTold(entry) && !entries.some(each => idOf(each) === inUse),
  )
  // Another order on each machine: those of a hub that dies spread over the others.
  const turn = (entry: HubEntry) =>
    createHash('sha256')
      .update(`${config.machine} ${idOf(entry)}`)
      .digest('hex')
  return [...entries, ...kept].sort((a, b) => (turn(a) < turn(b) ? -1 : 1)).slice(0, maxOtherHubs)
}

/** The way of this machine to another hub: by ssh where its own is reached so, if that hub can be. */
function entryFor(config: Config, { url, ssh, hubKey }: HubsAnswer['hubs'][number]): HubEntry | undefined {
  const own = homeWay(config).hub
  const leadsHere = url !== null && URL.canParse(url) && isLoopback(new URL(url))
  const host = SshHost.safeParse(ssh)
  if (config.sshHost !== noSshHost && host.success && hubKey !== null) {
    // As it says itself, or as the machine's own hub is seen from its host.
    const address = isLoopback(own) && !leadsHere ? `http://${own.host}` : url
    return address === null ? undefined : valid({ sshHost: host.data, hub: address, hubKey })
  }
  // A hub that listens on its own host alone is not found there from another.
  if (url === null || (leadsHere && !(isLoopback(own) && config.sshHost === noSshHost))) return undefined
  // A machine that knows its own hub by the certificate of a proxy finds the others behind such a proxy, too.
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
