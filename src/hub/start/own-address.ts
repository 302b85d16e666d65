import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Addresses of no interface in particular: none of them leads anybody to this host. */
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Most addresses that peers are told. */
const maxAddresses = 32

/**
 * At which address clients are told to reach this hub: the one that hub.json has as `url`, else where it listens, if that is an address;
 * undefined for a hub that listens on all of them. A hub that proves a key is reached by TLS.
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

/** The addresses with TLS at which other hubs may reach this one: where it listens, each address of this host where that is all of them, and `url`. */
export function addressesForPeers(url: string | undefined, places: readonly AddressInfo[]): string[] {
  const all = places.flatMap(({ address, family, port }) =>
    (wildcards.has(address) ? addressesOfHost(address === '::') : [{ address, family }]).map(each =>
      each.family === 'IPv6' ? `https://[${each.address}]:${port}` : `https://${each.address}:${port}`,
    ),
  )
  return [...new Set([...all, ...(url?.startsWith('https:') ? [url] : [])])].slice(0, maxAddresses)
}

/** Addresses of this host's interfaces, but for loopback and those of one link. */
function addressesOfHost(withIpv6: boolean): { address: string; family: string }[] {
  return Object.values(networkInterfaces())
    .flatMap(each => each ?? [])
    .filter(
      ({ internal, family, address }) => !internal && (family === 'IPv4' || (withIpv6 && !/^fe80:/i.test(address))),
    )
}
