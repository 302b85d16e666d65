import type { Home } from '../client/home.ts'
import { HubClient } from '../client/hub-client.ts'
import type { HubWay } from '../client/hubs.ts'
import { openWay } from '../client/machine.ts'
import { WrongHub } from '../client/transport/pin.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Check } from './check.ts'

/** Timeout of each hub, in ms: longer than a request waits for one hub while another responds. */
const answerMs = 5000

/** Goes to each hub of `ways` but the one in use. What fails is no failure of the machine, which has that one. */
export async function diagnoseHubs(home: Home, ways: readonly HubWay[], inUse: HubWay): Promise<Check[]> {
  const checks = ways
    .filter(({ id }) => id !== inUse.id)
    .map(async (way): Promise<Check> => {
      const isOwn = way.id === ways[0]!.id
      const client = new HubClient({ transport: openWay(home, way), timeoutMs: answerMs })
      try {
        const { version } = await client.call(api.health)
        const use = isOwn ? "this machine's own, which it goes back to within 15 minutes" : 'in reserve'
        return { link: 'hub', state: 'ok', found: `${client.transport.label}, version ${version}, ${use}` }
      } catch (error) {
        if (!(error instanceof ClaudeNetError)) throw error
        return { link: 'hub', state: 'warning', found: error.message, mend: mendFor(home, error, isOwn) }
      } finally {
        client.close()
      }
    })
  return Promise.all(checks)
}

function mendFor(home: Home, { cause, hint }: ClaudeNetError, isOwn: boolean): string {
  if (cause instanceof WrongHub)
    return isOwn ? hint : `Its key in ${home.configFile} ("hubs") is not the one that it has. ${hint}`
  return isOwn
    ? 'This machine goes on at the hub above, and back to this one once it answers. Is it running, and is that its address ("hub" in config.json)?'
    : 'Nothing is lost while another hub answers. Is it running, and may this machine reach it?'
}
