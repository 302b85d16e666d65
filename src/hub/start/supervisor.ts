import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ClaudeNetError } from '../../protocol/errors.ts'

export interface SupervisorOptions {
  /** The environment of the process: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` as in sd_notify(3). */
  env?: NodeJS.ProcessEnv
  /** Called for the first notification that fails. */
  onError: (error: unknown) => void
  /** Sends a notification to systemd; default is `systemd-notify`. */
  notify?: (assignments: string[]) => Promise<unknown>
}

/**
 * Reports the state of the hub to systemd, if systemd started it. Node cannot send datagrams to a Unix socket, so `systemd-notify`
 * sends them: the unit has NotifyAccess=all.
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

  /** Reports that the hub accepts requests. From then on each success of `probe`, a durable write, resets the watchdog. */
  async ready(status: string, probe: () => Promise<unknown>): Promise<void> {
    await this.#tell('READY=1', `STATUS=${status}`)
    const { WATCHDOG_USEC: deadline, WATCHDOG_PID: pid } = this.#env
    if (!deadline || (pid && Number(pid) !== process.pid)) return
    // Three attempts before the deadline, which is given in microseconds.
    this.#timer = setInterval(() => void this.#feed(status, probe), Number(deadline) / 1000 / 3)
    this.#timer.unref()
  }

  /** Reports that the hub is stopping, and stops resetting the watchdog. */
  async stopping(): Promise<void> {
    clearInterval(this.#timer)
    await this.#tell('STOPPING=1')
  }

  /**
   * Resets the watchdog after a successful probe. A hanging disk blocks the probe, and systemd then restarts the hub. A full disk resets it
   * too: a restart would free no space, and would interrupt reads.
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
