import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

/** The addresses of this machine. Empty where the system does not tell, such as a sandbox without netlink. */
export function ownInterfaces(): NetworkInterfaceInfo[] {
  try {
    return Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  } catch {
    return []
  }
}
