import { noSshHost } from '../protocol/ssh-host.ts'
import type { Config } from './home.ts'
import { Home } from './home.ts'
import { HubClient } from './hub-client.ts'
import { HubMemory } from './hub-memory.ts'
import { type HubWay, homeWay, hubsOf } from './hubs.ts'
import { machinePin } from './new-hub-key.ts'
import { Outbox } from './outbox.ts'
import { openTransport } from './transport/open.ts'
import { SeveralHubs } from './transport/several.ts'
import type { Transport } from './transport/transport.ts'
import { wrongHubNotes } from './wrong-hub.ts'

/** This machine as a member: its configuration, its client of the hub, and its outbox. */
export interface Machine {
  home: Home
  config: Config
  client: HubClient
  transport: SeveralHubs
  outbox: Outbox
  /** Resolves when a token renewal in progress has succeeded or failed. */
  renewed: () => Promise<void>
}

/** Time between attempts to renew the token, in ms: the hub requests the renewal with every response. */
const renewalPauseMs = 60_000

/**
 * Opens the machine of `home`. Throws `unauthorized`, with a hint how to join, if it is not a member yet. The token is read for
 * each request, so that running processes keep working when the machine joins again; it is renewed when the hub asks for that.
 */
export function openMachine(home = new Home(), timeoutMs?: number): Machine {
  const { config } = home.credentials()
  const transport = machineTransport(home)
  const renewals = new Renewals(home, transport)
  const client = new HubClient({
    transport,
    token: () => home.credentials().token,
    timeoutMs,
    onRenewalDue: token => renewals.renew(token),
    onRefused: token => renewals.finish(token),
  })
  return { home, config, client, transport, outbox: new Outbox(home, client), renewed: () => renewals.ended() }
}

/** The token renewals of one process. Their code is loaded when the hub asks for one. */
export class Renewals {
  readonly #home: Home
  readonly #transport: Transport
  #underWay: Promise<void> | undefined
  #triedAt = -Infinity
  /** The last attempt to finish a renewal: the refused token, when it began, and whether a retry makes sense. */
  #finishing: { token: string; at: number; done: Promise<boolean> } | undefined
  /** Error of the last renewal, if it failed. */
  trouble: unknown

  constructor(home: Home, transport: Transport) {
    this.#home = home
    this.#transport = transport
  }

  renew(due: string): void {
    const now = performance.now()
    if (this.#underWay || now - this.#triedAt < renewalPauseMs) return
    this.#triedAt = now
    this.#underWay = import('./renew-token.ts')
      .then(({ renewToken }) => renewToken(this.#home, this.#transport, due))
      .then(
        () => (this.trouble = undefined),
        error => (this.trouble = error),
      )
      .finally(() => (this.#underWay = undefined))
  }

  async finish(refused: string): Promise<boolean> {
    const now = performance.now()
    // Concurrent requests share one attempt, and a token that was revoked is not retried with every heartbeat.
    if (this.#finishing?.token !== refused || now - this.#finishing.at > renewalPauseMs) {
      const done = import('./renew-token.ts').then(({ finishRenewal }) =>
        finishRenewal(this.#home, this.#transport, refused),
      )
      this.#finishing = { token: refused, at: now, done }
    }
    return this.#finishing.done
  }

  async ended(): Promise<void> {
    await this.#underWay
  }
}

/** Returns the transport to the hubs of `home`: its own and, while that is unreachable, others over the same log. */
export function machineTransport(home: Home): SeveralHubs {
  home.credentials()
  return new SeveralHubs({
    ways: () => hubsOf(home.credentials().config).ways,
    open: way => openWay(home, way),
    memory: new HubMemory(home.runDir),
  })
}

/** Returns a transport to the machine's own hub alone. */
export function ownTransport(home: Home): Transport {
  return openWay(home, homeWay(home.credentials().config))
}

/** Returns a transport to one of the hubs of `home`. */
export function openWay(home: Home, way: HubWay): Transport {
  const { hub, sshHost } = way
  const { sshIdleS } = home.credentials().config
  const { pin, onNewKey } = machinePin(home, way)
  const onWrongHub = wrongHubNotes(home, sshHost === noSshHost ? hub.origin : `${hub.origin} through ${sshHost}`)
  return openTransport({ hub, sshHost, runDir: home.runDir, sshIdleS, pin, hooks: { onWrongHub, onNewKey } })
}
