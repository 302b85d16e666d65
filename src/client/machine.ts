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

/** This machine as a member: its configuration, its line to the hub, and its outbox. */
export interface Machine {
  home: Home
  config: Config
  client: HubClient
  transport: SeveralHubs
  outbox: Outbox
  /** Resolves when a renewal of the token that is under way has ended, well or not. */
  renewed: () => Promise<void>
}

/** How long after a renewal that failed the next one is tried, in ms: the hub asks for it with every answer. */
const renewalPauseMs = 60_000

/**
 * Opens the machine of `home`. Throws `unauthorized`, with the way to join, when it is no member yet. The token is read anew for
 * each request, so that what runs goes on when the machine joins again; it is renewed when the hub asks for that.
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

/** The renewals of one process. What they need is loaded when the hub asks for one. */
export class Renewals {
  readonly #home: Home
  readonly #transport: Transport
  #underWay: Promise<void> | undefined
  #triedAt = -Infinity
  /** The token whose renewal was to be finished last, since when, and whether that has done anything. */
  #finishing: { token: string; at: number; done: Promise<boolean> } | undefined
  /** Why the last one failed. */
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
    // Requests that are refused at once wait for one try; a token that has ended for good is not tried with every heartbeat.
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

/** The transport to the hubs that `home` is configured for: its own, and while that is away to another over the same log. */
export function machineTransport(home: Home): SeveralHubs {
  home.credentials()
  return new SeveralHubs({
    ways: () => hubsOf(home.credentials().config).ways,
    open: way => openWay(home, way),
    memory: new HubMemory(home.runDir),
  })
}

/** The transport to the machine's own hub alone, and how that is reached. */
export function ownTransport(home: Home): Transport {
  return openWay(home, homeWay(home.credentials().config))
}

/** The transport to one of the hubs that `home` is configured for. */
export function openWay(home: Home, way: HubWay): Transport {
  const { hub, sshHost } = way
  const { sshIdleS } = home.credentials().config
  const { pin, onNewKey } = machinePin(home, way)
  const onWrongHub = wrongHubNotes(home, sshHost === noSshHost ? hub.origin : `${hub.origin} through ${sshHost}`)
  return openTransport({ hub, sshHost, runDir: home.runDir, sshIdleS, pin, hooks: { onWrongHub, onNewKey } })
}
