import { meRoutes } from '../protocol/routes/me.ts'
import type { Config } from './home.ts'
import type { HubClient } from './hub-client.ts'

/**
 * Sends the hub the message policy of config.json, where it differs from the one on the hub. Keys that the file does not have stay
 * as they are. `inbound` is sent first and alone: a mistake in `mute` must not let messages in.
 */
export async function sendPolicy(client: HubClient, { inbound, mute }: Config): Promise<void> {
  if (inbound === undefined && mute === undefined) return
  const known = await client.call(meRoutes.putPolicy, { body: {} })
  if (inbound !== undefined && inbound !== known.inbound) await client.call(meRoutes.putPolicy, { body: { inbound } })
  if (mute !== undefined && mute.toSorted().join() !== known.mute.toSorted().join())
    await client.call(meRoutes.putPolicy, { body: { mute } })
}
