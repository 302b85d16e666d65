import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { anySignal } from './any-signal.ts'
import { pauseAfter } from './retry-pause.ts'
import type { SshFiles } from './ssh-files.ts'
import { endLink, openLink } from './ssh-link.ts'
import type { SshFailure } from './ssh-words.ts'

/** Maximum age of a failure, of any process, that is reused instead of another attempt, in ms. */
const freshFailureMs = 1000

/** Time for which a request waits for another attempt after a known failure, in ms. */
const knownClosedWaitMs = 2000

/** This process's use of the machine's shared connection: opens it on demand, and keeps it open if requested. */
export class SshWay {
  readonly #files: SshFiles
  readonly #closed = new AbortController()
  /** An attempt of this process in progress. */
  #trying: Promise<SshFailure | undefined> | undefined
  /** The failure of the last attempt, while the connection is closed. */
  #failure: SshFailure | undefined
  /** The attempts in progress until the connection is open, shared by all who wait for it. */
  #reopening: Promise<void> | undefined
  /** Ends the pause between two attempts. */
  #hurry = new AbortController()
  /** A connection to the control socket: it keeps ssh from closing as idle, and ends when ssh exits. */
  #lease: Socket | undefined

  constructor(files: SshFiles) {
    this.#files = files
  }

  /** Opens the connection for a request. Returns the failure if it cannot be opened, within `knownClosedWaitMs` if it is known. */
  async open(): Promise<SshFailure | undefined> {
    const known = this.#failure
    const outcome = await (known
      ? Promise.race([this.#try(), delay(knownClosedWaitMs, known, { ref: false })])
      : this.#try())
    if (!outcome) this.#hurry.abort()
    return outcome
  }

  /** Resolves when the connection is open. Retries with growing pauses until it is, and reopens it whenever it is lost. */
  kept(): Promise<void> {
    if (this.#lease || this.#closed.signal.aborted) return Promise.resolve()
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  /** Ends the connection, which seems broken, with the requests of all processes. The next request opens another. */
  async end(): Promise<void> {
    await endLink(this.#files)
  }

  close(): void {
    this.#closed.abort()
    this.#lease?.destroy()
  }

  #try(): Promise<SshFailure | undefined> {
    const signal = this.#closed.signal
    this.#trying ??= openLink(this.#files, { maxAgeMs: freshFailureMs, signal })
      .then(failure => {
        this.#failure = failure
        return failure
      })
      .finally(() => {
        this.#trying = undefined
      })
    return this.#trying
  }

  async #reopen(): Promise<void> {
    const closed = this.#closed.signal
    for (let failures = 0; !closed.aborted; failures++) {
      if (!(await this.#try())) return this.#takeLease()
      this.#hurry = new AbortController()
      const isNew = await pauseAfter(failures + 1, anySignal([closed, this.#hurry.signal]))
      if (isNew) failures = -1
    }
  }

  #takeLease(): Promise<void> {
    return new Promise(resolve => {
      const lease = connect(this.#files.control)
      // It does not keep the process running; requests in flight do.
      lease.unref()
      lease.on('error', () => {})
      lease.resume()
      lease.on('connect', () => {
        this.#lease = lease
        resolve()
      })
      lease.on('close', () => {
        const wasOpen = this.#lease === lease
        this.#lease = undefined
        resolve()
        if (wasOpen) this.kept().catch(() => {})
      })
    })
  }
}
