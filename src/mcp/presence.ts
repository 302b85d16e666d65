import { Heartbeat } from '../client/heartbeat.ts'
import type { Machine } from '../client/machine.ts'
import { sendPolicy } from '../client/policy.ts'
import { reportWrongHub } from '../client/wrong-hub.ts'
import type { Keeper } from '../notice/keeper.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { HeartbeatAnswer } from '../protocol/members.ts'
import { isOlder, version } from '../protocol/version.ts'
import type { Remarks } from './remarks.ts'
import type { OpenedMachine } from './session-machine.ts'
import { refusedText } from './tools.ts'

/** Interval at which a session without a heartbeat drains the outbox, in ms. */
const drainMs = 5000

/** Interval at which a session requests the list of hubs, in ms. */
const hubsMs = 3_600_000

export interface PresenceOptions {
  /** Id of the session at the hub. */
  session: string
  /** Whether the session counts as present: a headless one does not, unless its machine enables that. */
  isPresent: boolean
  keeper: Keeper
  remarks: Remarks
  report: (error: unknown) => void
}

/** Sends the heartbeats of one session. After each one that the hub accepts it drains the outbox and does other periodic work. */
export class Presence {
  readonly #options: PresenceOptions
  #machine: OpenedMachine | undefined
  #heartbeat: Heartbeat | undefined
  #isPolicySent = false
  #isAgeReported = false
  #hubsDueAt = 0

  constructor(options: PresenceOptions) {
    this.#options = options
  }

  /** Starts once the machine is opened. */
  start(machine: OpenedMachine): void {
    const { isPresent, keeper } = this.#options
    this.#machine = machine
    setInterval(() => this.#heartbeat ?? this.#drain(), drainMs).unref()
    if (isPresent) this.setHidden(keeper.isHidden)
  }

  /** Stops the heartbeat of a session that became hidden; starts it for one that is visible. */
  setHidden(isHidden: boolean): void {
    if (!this.#machine || !this.#options.isPresent) return
    if (isHidden) void this.#heartbeat?.stop()
    this.#heartbeat = isHidden ? undefined : this.#newHeartbeat(this.#machine)
  }

  /** Sends a heartbeat at once, with the session's current activity. */
  async update(): Promise<void> {
    await this.#heartbeat?.sendNow()
  }

  /** Reports the end of the session to the hub. */
  async stop(): Promise<void> {
    await this.#heartbeat?.stop()
  }

  #newHeartbeat({ machine, scope }: OpenedMachine): Heartbeat {
    const { session, keeper } = this.#options
    return new Heartbeat(machine.client, {
      session,
      client: `claude-net/${version}`,
      more: () => ({ ...(scope !== undefined && { project: scope }), ...keeper.activity() }),
      onAlive: answer => this.#onAccepted(machine, answer),
    })
  }

  #onAccepted(machine: Machine, { unread, version: hub }: HeartbeatAnswer): void {
    const { keeper, remarks, report } = this.#options
    this.#sendPolicy(machine)
    this.#drain()
    void reportWrongHub(machine.home, machine.client)
    if (performance.now() >= this.#hubsDueAt) {
      this.#hubsDueAt = performance.now() + hubsMs
      void updateHubs(machine).catch(report)
    }
    remarks.passToHooks(keeper)
    keeper.onUnreadCount(unread)
    if (!this.#isAgeReported && hub && isOlder(version, hub)) {
      this.#isAgeReported = true
      remarks.add(tooOld(hub))
    }
  }

  #sendPolicy(machine: Machine): void {
    if (this.#isPolicySent) return
    this.#isPolicySent = true
    sendPolicy(machine.client, machine.config).catch((error: unknown) => {
      // A refusal is final; after any other error the next heartbeat repeats it.
      this.#isPolicySent = error instanceof ClaudeNetError && error.settled
      this.#options.report(error)
    })
  }

  #drain(): void {
    void this.#sendWaiting().catch(this.#options.report)
  }

  /** Drains the outbox. In a session without hooks, refusals are left to the tool results. */
  async #sendWaiting(): Promise<void> {
    const { keeper, remarks } = this.#options
    const outbox = this.#machine!.machine.outbox
    await outbox.drain()
    if (!keeper.hasHooks) return
    for (const refused of outbox.takeRefused()) remarks.add(refusedText(refused), refused.id)
    remarks.passToHooks(keeper)
  }
}

/** Updates the list of hubs of this machine. If no hub can be reached, the next attempt is an hour later. */
async function updateHubs({ home, client, transport }: Machine): Promise<void> {
  const { refreshHubs } = await import('../client/refresh-hubs.ts')
  await refreshHubs(home, client, () => transport.way)
}

function tooOld(hub: string): string {
  return `This session runs claude-net ${version}, the hub has ${hub}. Tell your user: update with claude-net doctor's line if the file is old too, then reconnect claude-net under /mcp.`
}
