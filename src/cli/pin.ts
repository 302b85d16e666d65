import { Command } from 'commander'
import { Home } from '../client/home.ts'
import { HubClient } from '../client/hub-client.ts'
import { ownTransport } from '../client/machine.ts'
import { provenBy } from '../client/proven-way.ts'
import { openTransport } from '../client/transport/open.ts'
import { api } from '../protocol/api.ts'
import { provenAddress } from '../protocol/hub-address.ts'
import type { HubKey } from '../protocol/hub-key.ts'
import { print } from './output.ts'

interface PinOptions {
  again?: boolean
  json?: boolean
}

export function pinCommand(): Command {
  return new Command('pin')
    .description('Pin the key of the hub: from then on use TLS, and only a hub that proves this key')
    .option('--again', 'Pin the current key after the admin has confirmed that it changed')
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      `
The hub proves over TLS that it knows the token of this machine, which is not sent, and its key is stored in config.json ("hubKey").
Running sessions use it from their next request on. A machine that joined by the line of claude-net invite has pinned the key already.`,
    )
    .action(async ({ again, json }: PinOptions) => {
      const home = new Home()
      const { config, hub, token } = home.credentials()
      const way = { hub, sshHost: config.sshHost, runDir: home.runDir, sshIdleS: config.sshIdleS }
      const isPinned = config.hubKey !== undefined && !again
      if (!config.hubKey && provenBy({ config, hub })) {
        print(
          { json },
          { changed: false, hub: hub.origin },
          () => `${hub.origin} proves itself by ${provenBy({ config, hub })}.`,
        )
        return
      }
      const { provenKey } = await import('../client/prove-hub.ts')
      const proven: HubKey | undefined = isPinned ? undefined : await provenKey(way, token)
      const transport = proven
        ? openTransport({ ...way, hub: provenAddress(hub), pin: proven })
        : // Accepts a new key that the pinned one has signed.
          ownTransport(home)
      const client = new HubClient({ transport, token })
      try {
        // Over TLS with that key: the hub that responds is the one that is pinned.
        await client.call(api.health)
        if (proven && proven !== config.hubKey) home.writeConfig({ hubKey: proven })
      } finally {
        client.close()
      }
      const hubKey = proven ?? home.credentials().config.hubKey
      const changed = hubKey !== config.hubKey
      print({ json }, { changed, hub: client.transport.label, hubKey }, () =>
        changed
          ? `The hub at ${client.transport.label} has proven ${proven ? 'that it knows this machine' : 'its new key'}. From now on ${config.machine} speaks TLS, to the hub of this key alone:\n  ${hubKey}`
          : `The hub at ${client.transport.label} proves itself by the key that is pinned here:\n  ${hubKey}`,
      )
    })
}
