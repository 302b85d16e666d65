import type { AddressInfo } from 'node:net'

/** Addresses of no interface in particular: none of them leads anybody to this host. */
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

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
