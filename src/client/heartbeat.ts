import { ClaudeNetError } from '../protocol/errors.ts'
import type { HeartbeatAnswer, HeartbeatRequest } from '../protocol/members.ts'
import { sessionsRoutes } from '../protocol/routes/sessions.ts'
import type { HubClient } from './hub-client.ts'
import { PlainSpell } from './plain-spell.ts'

/** How often a session says that it lives, in ms. The hub counts it as gone after three that did not come. */
const intervalMs = 5000

/** How often it is looked whether that time has come, in ms. By the wall clock: after a sleep it has come at once. */
const lookMs = 1000

/** How long the last word, that the session ends, may take, in ms: the process is about to be killed. */
const farewellMs = 300

export interface HeartbeatOptions {
  session: string
  /** The program that speaks, with its version. */
  client: string
  /** What the session says of itself now. */
  more?: () => Omit<HeartbeatRequest, 'session' | 'client'>
  /** Called after every heartbeat that the hub answered. */
  onAlive?: (answer: HeartbeatAnswer) => void
}

/** Tells the hub every 5 s that a session lives, until it is stopped. A hub that does not answer is asked again. */
export class Heartbeat {
  readonly #hub: HubClient
  readonly #options: HeartbeatOptions
  readonly #timer: NodeJS.Timeout
  /** The heartbeat under way. */
  #beat: Promise<void> | undefined
  /** When the last one began, in ms since 1970. */
  #beganAt = 0
  /** While it is on, a heartbeat says only that the session lives. */
  readonly #plain = new PlainSpell()

  constructor(hub: HubClient, options: HeartbeatOptions) {
    this.#hub = hub
    this.#options = options
    this.#timer = setInterval(() => {
      // Rounded: a look that comes a moment early is not to wait for the next.
      if (Math.abs(Date.now() - this.#beganAt) > intervalMs - lookMs / 2) void this.#beatOnce()
    }, lookMs)
    this.#timer.unref()
    void this.#beatOnce()
  }

  /** Stops and says goodbye, so that the hub need not wait for silence. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    // After a heartbeat under way: heard last, it would bring the session back.
    const goodbye = Promise.resolve(this.#beat)
      .then(() => this.#hub.call(sessionsRoutes.endSession, { query: { session: this.#options.session } }))
      .catch(() => {})
    await Promise.race([goodbye, new Promise(resolve => setTimeout(resolve, farewellMs).unref())])
  }

  /** Tells the hub at once what the session says of itself; resolves when it has answered, or has not. */
  async tellNow(): Promise<void> {
    // One that is under way may have been made before what is to be told.
    await this.#beat
    await this.#beatOnce()
  }

  #beatOnce(): Promise<void> {
    this.#beganAt = Date.now()
    this.#beat ??= this.#tellAlive().finally(() => (this.#beat = undefined))
    return this.#beat
  }

  async #tell(): Promise<HeartbeatAnswer> {
    const { session, client, more } = this.#options
    const said = this.#plain.isOn(this.#hub.interruptions) ? {} : (more?.() ?? {})
    try {
      return await this.#hub.call(sessionsRoutes.heartbeat, { body: { session, client, ...said } })
    } catch (error) {
      const isTooMuch = error instanceof ClaudeNetError && error.code === 'invalid'
      if (!isTooMuch || Object.keys(said).length === 0) throw error
      this.#plain.begin(this.#hub.interruptions)
      return this.#hub.call(sessionsRoutes.heartbeat, { body: { session, client } })
    }
  }

  async #tellAlive(): Promise<void> {
    try {
      await this.#hub.transport.opened()
      this.#options.onAlive?.(await this.#tell())
    } catch {
      // The next one tries again; whoever needs the hub is told by their own call.
    }
  }
}
