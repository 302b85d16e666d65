import type { Config } from './home.ts'
import { Home } from './home.ts'
import { HubClient } from './hub-client.ts'
import { Outbox } from './outbox.ts'
import { openTransport } from './transport/open.ts'
import type { Transport } from './transport/transport.ts'

/** This machine as a member: its configuration, its line to the hub, and its outbox. */
export interface Machine {
  home: Home
  config: Config
  client: HubClient
  outbox: Outbox
}

/**
 * Opens the machine of `home`. Throws `unauthorized`, with the way to join, when it is no member yet. The token is read anew for
 * each request, so that what runs goes on when the machine joins again.
 */
export function openMachine(home = new Home(), timeoutMs?: number): Machine {
  const { config } = home.credentials()
  const client = new HubClient({
    transport: machineTransport(home),
    token: () => home.credentials().token,
    timeoutMs,
  })
  return { home, config, client, outbox: new Outbox(home, client) }
}

/** The transport that `home` is configured for. */
export function machineTransport(home: Home): Transport {
  const { config, hub } = home.credentials()
  // Read anew like the token: what runs goes by a key that is pinned meanwhile.
  const pin = () => home.credentials().config.hubKey
  return openTransport({ hub, sshHost: config.sshHost, runDir: home.runDir, sshIdleS: config.sshIdleS, pin })
}
