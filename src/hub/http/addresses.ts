import type { AddressInfo } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { isLoopback, likelyOrigins } from '../../protocol/hub-address.ts'
import type { Handlers } from './handler.ts'
import type { Network } from './network.ts'

/** Addresses that mean every address of the host. */
const anywhere = new Set(['0.0.0.0', '::'])

/** `GET /v1/admin/addresses`. */
export function addresses(listening: () => readonly AddressInfo[], network: Network): Handlers['addresses'] {
  return () => {
    const places = listening()
    const own = interfaces()
    const origins = places.flatMap(({ address, family, port }) => {
      if (anywhere.has(address)) return likelyOrigins(own, port)
      return [`http://${family === 'IPv6' ? `[${address}]` : address}:${port}`]
    })
    const reachable = [...new Set(origins)]
      .map(origin => new URL(origin))
      .filter(origin => !isLoopback(origin))
      .map(({ origin, hostname }) => ({ origin, isTrusted: network.isTrusted(hostname.replace(/^\[|\]$/g, '')) }))
    return {
      port: places[0]?.port ?? null,
      addresses: reachable.sort((a, b) => Number(b.isTrusted) - Number(a.isTrusted)),
    }
  }
}

/** Returns the network interfaces; none if the system does not reveal them, as in a sandbox without netlink. */
export function interfaces(): NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap(each => each ?? [])
  } catch {
    return []
  }
}
