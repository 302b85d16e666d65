import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Wildcard addresses, which lead no client to this host. */
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Most addresses that are published to peers. */
const maxAddresses = 32

/**
 * Returns the address published to clients: `url` of hub.json, or else the address the hub listens on; undefined for a hub that listens on
 * all addresses. A hub with a key is reached over TLS.
 */
export function ownAddress(
  url: string | undefined,
  places: readonly AddressInfo[],
  hasKey: boolean,
): string | undefined {
  const place = places.find(({ address }) => !wildcards.has(address))
  if (url !== undefined || !place) return url
  const host = place.family === 'IPv6' ? `[${place.address}]` : place.address
  return `${hasKey ? 'https' : 'http'}://${host}:${place.port}`
}

/** Returns the https addresses of this hub for other hubs: those it listens on (each address of this host for a wildcard), and `url`. */
export function addressesForPeers(url: string | undefined, places: readonly AddressInfo[]): string[] {
  const all = places.flatMap(({ address, family, port }) =>
    (wildcards.has(address) ? addressesOfHost(address === '::') : [{ address, family }]).map(each =>
      each.family === 'IPv6' ? `https://[${each.address}]:${port}` : `https://${each.address}:${port}`,
    ),
  )
  return [...new Set([...all, ...(url?.startsWith('https:') ? [url] : [])])].slice(0, maxAddresses)
}

/** Returns the addresses of this host's interfaces, except loopback and link-local ones. */
function addressesOfHost(withIpv6: boolean): { address: string; family: string }[] {
  return Object.values(networkInterfaces())
    .flatMap(each => each ?? [])
    .filter(
      ({ internal, family, address }) => !internal && (family === 'IPv4' || (withIpv6 && !/^fe80:/i.test(address))),
    )
}
