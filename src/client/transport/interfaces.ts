import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

/** Returns this machine's addresses; none if the system does not provide them, as in a sandbox without netlink. */
export function ownInterfaces(): NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  } catch {
    return []
  }
}
