import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { anySignal } from './any-signal.ts'
import { pauseAfter } from './retry-pause.ts'
import type { SshFiles } from './ssh-files.ts'
import { endLink, openLink } from './ssh-link.ts'
import type { SshFailure } from './ssh-words.ts'

/** A failure that is not older, in ms, of whichever process, need not be found out anew. */
const freshFailureMs = 1000

/** How long a request waits for another try, in ms, while it is known why the way is closed. */
const knownClosedWaitMs = 2000

/** This process's part in the one connection of its machine: opens it when it is needed, and keeps it open if that is wanted. */
export class SshWay {
  readonly #files: SshFiles
  readonly #closed = new AbortController()
  /** A try of this process that is under way. */
  #trying: Promise<SshFailure | undefined> | undefined
  /** Why the last try failed, while the way is closed. */
  #failure: SshFailure | undefined
  /** Tries until the way is open, for those who wait for that. */
  #reopening: Promise<void> | undefined
  /** Ends the pause between two tries. */
  #hurry = new AbortController()
  /** A connection to the ssh that holds the line: ends when that does, and lets it stay while it lasts. */
  #lease: Socket | undefined

  constructor(files: SshFiles) {
    this.#files = files
  }

  /** Opens the way for a request. Answers why it is closed: at once, almost, when that is known already. */
  async open(): Promise<SshFailure | undefined> {
    const known = this.#failure
    const outcome = await (known
      ? Promise.race([this.#try(), delay(knownClosedWaitMs, known, { ref: false })])
      : this.#try())
    if (!outcome) this.#hurry.abort()
    return outcome
  }

  /** Resolves when the way is open. Tries until it is, ever more rarely; from then on it is opened again when it is lost. */
  kept(): Promise<void> {
    if (this.#lease || this.#closed.signal.aborted) return Promise.resolve()
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  /** Ends the connection, which seems dead, and with it everybody's requests. The next one opens another. */
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
      // It keeps no process alive: what is done over the line does.
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
