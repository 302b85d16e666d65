import type { EtcdGateway } from './gateway.ts'

/** Time that keys outlive the hub that put them, in s. */
export const leaseS = 10

/** Interval at which a lease is renewed, in ms. */
export const renewMs = 3000

/** Makes a lease of `leaseS` and returns its id. Throws `EtcdError`. */
export async function grantLease(gateway: EtcdGateway, signal?: AbortSignal): Promise<string> {
  const { ID } = await gateway.ask<{ ID: string }>('/v3/lease/grant', { TTL: String(leaseS) }, signal)
  return ID
}

/** Renews a lease; returns whether it still existed. Throws `EtcdError`. */
export async function renewLease(gateway: EtcdGateway, id: string, signal: AbortSignal): Promise<boolean> {
  type Answer = { result?: { TTL?: string } }
  const { result } = await gateway.ask<Answer>('/v3/lease/keepalive', { ID: id }, signal)
  return Number(result?.TTL ?? 0) > 0
}

/** Ends a lease and deletes its keys, if etcd can be reached. */
export async function revokeLease(gateway: EtcdGateway, id: string): Promise<void> {
  await gateway.ask('/v3/lease/revoke', { ID: id }).catch(() => {})
}
