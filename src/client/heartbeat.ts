import { ClaudeNetError } from '../protocol/errors.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from '../protocol/members.ts'
import { sessionsRoutes } from '../protocol/routes/sessions.ts'
import type { HubClient } from './hub-client.ts'
import { PlainSpell } from './plain-spell.ts'

/** Interval between heartbeats, in ms. The hub counts a session as offline after three missed ones. */
const intervalMs = 5000

/** Interval between checks whether a heartbeat is due, in ms. They use the wall clock, so that one is due right after a sleep. */
const checkMs = 1000

/** Timeout of the final report that the session ends, in ms: the process is about to be killed. */
const endTimeoutMs = 300

export interface HeartbeatOptions {
  session: string
  /** Name and version of this program. */
  client: string
  /** Returns the optional fields of the next heartbeat. */
  more?: () => Omit<HeartbeatRequest, 'session' | 'client'>
  /** Called after every heartbeat that the hub answered. */
  onAlive?: (answer: HeartbeatAnswer) => void
}

/** Sends the hub a heartbeat every 5 s until it is stopped. A heartbeat that failed is not retried before the next one. */
export class Heartbeat {
  readonly #hub: HubClient
  readonly #options: HeartbeatOptions
  readonly #timer: NodeJS.Timeout
  /** The heartbeat in flight. */
  #beat: Promise<void> | undefined
  /** Time at which the last one was sent, in ms since 1970. */
  #beganAt = 0
  /** While it is on, heartbeats carry no optional fields. */
  readonly #reduced = new PlainSpell()

  constructor(hub: HubClient, options: HeartbeatOptions) {
    this.#hub = hub
    this.#options = options
    this.#timer = setInterval(() => {
      // Rounded, so that a check that runs a moment early does not postpone the heartbeat to the next check.
      if (Math.abs(Date.now() - this.#beganAt) > intervalMs - checkMs / 2) void this.#beatOnce()
    }, checkMs)
    this.#timer.unref()
    void this.#beatOnce()
  }

  /** Stops, and reports the end of the session, so that the hub need not wait for missed heartbeats. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    // Sent after a heartbeat in flight: if that arrived last, it would bring the session back.
    const ending = Promise.resolve(this.#beat)
      .then(() => this.#hub.call(sessionsRoutes.endSession, { query: { session: this.#options.session } }))
      .catch(() => {})
    await Promise.race([ending, new Promise(resolve => setTimeout(resolve, endTimeoutMs).unref())])
  }

  /** Sends a heartbeat with the current fields at once. Resolves when it has succeeded or failed. */
  async sendNow(): Promise<void> {
    // One in flight may have been made before the change that is to be reported.
    await this.#beat
    await this.#beatOnce()
  }

  #beatOnce(): Promise<void> {
    this.#beganAt = Date.now()
    this.#beat ??= this.#sendOnce().finally(() => (this.#beat = undefined))
    return this.#beat
  }

  async #send(): Promise<HeartbeatAnswer> {
    const { session, client, more } = this.#options
    const optional = this.#reduced.isOn(this.#hub.interruptions) ? {} : (more?.() ?? {})
    try {
      return await this.#hub.call(sessionsRoutes.heartbeat, { body: { session, client, ...optional } })
    } catch (error) {
      const isUnsupported = error instanceof ClaudeNetError && error.code === 'invalid'
      if (!isUnsupported || Object.keys(optional).length === 0) throw error
      this.#reduced.begin(this.#hub.interruptions)
      return this.#hub.call(sessionsRoutes.heartbeat, { body: { session, client } })
    }
  }

  async #sendOnce(): Promise<void> {
    try {
      await this.#hub.transport.opened()
      this.#options.onAlive?.(await this.#send())
    } catch {
      // The next one is the retry; other callers of the hub get the error of their own call.
    }
  }
}
