import { meRoutes } from '../protocol/routes/me.ts'
import type { Config } from './home.ts'
import type { HubClient } from './hub-client.ts'

/**
 * Tells the hub what config.json says this machine does with mail, where that differs from what the hub knows. What the file
 * does not say stays as it is. `inbound` goes first and alone: a mistake in `mute` must not let mail in.
 */
export async function tellPolicy(client: HubClient, { inbound, mute }: Config): Promise<void> {
  if (inbound === undefined && mute === undefined) return
  const known = await client.call(meRoutes.putPolicy, { body: {} })
  if (inbound !== undefined && inbound !== known.inbound) await client.call(meRoutes.putPolicy, { body: { inbound } })
  if (mute !== undefined && mute.toSorted().join() !== known.mute.toSorted().join())
    await client.call(meRoutes.putPolicy, { body: { mute } })
}
