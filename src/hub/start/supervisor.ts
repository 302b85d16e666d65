import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ClaudeNetError } from '../../protocol/errors.ts'

export interface SupervisorOptions {
  /** The environment of the process: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` as in sd_notify(3). */
  env?: NodeJS.ProcessEnv
  /** Called once when systemd could not be told. */
  onError: (error: unknown) => void
  /** How systemd is told; default is `systemd-notify`. */
  notify?: (assignments: string[]) => Promise<unknown>
}

/**
 * Tells systemd how the hub is, where systemd has started it; otherwise does nothing. Node cannot send datagrams to a Unix
 * socket, so `systemd-notify` does: the unit says NotifyAccess=all.
 */
export class Supervisor {
  readonly #env: NodeJS.ProcessEnv
  readonly #onError: (error: unknown) => void
  readonly #notify: (assignments: string[]) => Promise<unknown>
  #timer: NodeJS.Timeout | undefined
  #failed = false

  constructor({ env = process.env, onError, notify = systemdNotify }: SupervisorOptions) {
    this.#env = env
    this.#onError = onError
    this.#notify = notify
  }

  /** The hub takes requests. From now on `probe`, a durable write, is what keeps the watchdog quiet. */
  async ready(status: string, probe: () => Promise<unknown>): Promise<void> {
    await this.#tell('READY=1', `STATUS=${status}`)
    const { WATCHDOG_USEC: deadline, WATCHDOG_PID: pid } = this.#env
    if (!deadline || (pid && Number(pid) !== process.pid)) return
    // Three chances before the deadline, given in microseconds.
    this.#timer = setInterval(() => void this.#feed(status, probe), Number(deadline) / 1000 / 3)
    this.#timer.unref()
  }

  /** The hub has begun to end, and is no longer watched. */
  async stopping(): Promise<void> {
    clearInterval(this.#timer)
    await this.#tell('STOPPING=1')
  }

  /**
   * A disk that hangs blocks the probe, and a store that has failed ends the process: both are for systemd to restart. A disk that is
   * full answers, and says so: a restart would make no room, and would take reading away.
   */
  async #feed(status: string, probe: () => Promise<unknown>): Promise<void> {
    try {
      await probe()
      await this.#tell('WATCHDOG=1', `STATUS=${status}`)
    } catch (error) {
      if (error instanceof ClaudeNetError && error.code === 'unavailable') {
        await this.#tell('WATCHDOG=1', `STATUS=Writes are refused: ${error.message}`)
      }
    }
  }

  async #tell(...assignments: string[]): Promise<void> {
    if (!this.#env.NOTIFY_SOCKET) return
    try {
      await this.#notify(assignments)
    } catch (error) {
      if (!this.#failed) this.#onError(error)
      this.#failed = true
    }
  }
}

function systemdNotify(assignments: string[]): Promise<unknown> {
  return promisify(execFile)('systemd-notify', assignments)
}
