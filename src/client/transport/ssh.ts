import type { IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { Connections, type ConnectionsOptions, type KeyHooks } from './connections.ts'
import { unanswered } from './direct.ts'
import { type SshFiles, type SshOptions, sshFiles } from './ssh-files.ts'
import type { SshWay } from './ssh-way.ts'
import { inWords, type SshFailure } from './ssh-words.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** Time without a request, in ms, after which a session was suspended or its machine slept: it sends a heartbeat every 5 s. */
const longSilenceMs = 15_000

/** Timeout of the health check after that, in ms. The connection may be broken, and ssh would take 15 s to notice. */
const proofMs = 3000

/** Number of attempts for a request that was certainly not sent because ssh had exited. Each opens the connection again. */
const maxTries = 3

/**
 * HTTP through the system's `ssh`, over one connection that all processes of this machine share: `run/ID.sock` is forwarded to the
 * hub. A process that finds no listener there starts ssh, which moves into the background, has no owner, and exits after 2 minutes
 * without use. The code for the start is loaded only then.
 */
export class SshTransport implements Transport {
  readonly label: string
  readonly files: SshFiles
  readonly #connections: Connections
  #way: Promise<SshWay> | undefined
  #isKept = false
  #isClosed = false
  #askedAt = Date.now()

  constructor(options: SshOptions, pin?: ConnectionsOptions['pin'], hooks?: KeyHooks) {
    this.label = `${options.hub.origin} through ${options.host}`
    this.files = sshFiles(options)
    this.#connections = new Connections(options.hub, { socketPath: this.files.socket, pin, ...hooks })
  }

  async request(request: TransportRequest): Promise<IncomingMessage> {
    await this.#proveAfterSleep()
    for (let tries = 1; ; tries++) {
      const startedAt = Date.now()
      try {
        return await this.#connections.request(request)
      } catch (error) {
        const isOver = tries === maxTries || request.signal?.aborted || this.#isClosed
        if (isOver || !isWithoutListener(error as Error)) throw await this.#failed(error as Error, startedAt)
      }
      await this.#open(request.signal)
    }
  }

  async opened(): Promise<void> {
    this.#isKept = true
    await (await this.#loadWay()).kept()
  }

  close(): void {
    this.#isClosed = true
    this.#connections.close()
    void this.#way?.then(way => way.close())
  }

  /** Opens the connection. Throws the failure, or an error if `signal` aborts first. */
  async #open(signal: AbortSignal | undefined): Promise<void> {
    let giveUp = () => {}
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = () => reject(signal!.reason)
      signal?.addEventListener('abort', giveUp)
    })
    try {
      const failure = await Promise.race([this.#loadWay().then(way => way.open()), givenUp])
      if (failure) throw closedWay(failure, this.label)
    } catch (error) {
      throw error instanceof ClaudeNetError ? error : unanswered(error as Error, this.label)
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  #loadWay(): Promise<SshWay> {
    this.#way ??= import('./ssh-way.ts').then(({ SshWay }) => {
      const way = new SshWay(this.files)
      if (this.#isClosed) way.close()
      return way
    })
    return this.#way
  }

  /** After a sleep, ends the connection if no response comes over it, so that another is opened at once. */
  async #proveAfterSleep(): Promise<void> {
    const silentMs = Date.now() - this.#askedAt
    this.#askedAt = Date.now()
    if (!this.#isKept || silentMs < longSilenceMs) return
    const proof = { method: 'GET', path: '/healthz', headers: {}, signal: AbortSignal.timeout(proofMs) }
    try {
      const answer = await this.#connections.request(proof)
      answer.on('error', () => {}).resume()
    } catch (error) {
      if ((error as Error).name === 'AbortError') await (await this.#loadWay()).end()
    }
  }

  /** Returns the error for a request without a response, with ssh's reason if it logged one. */
  async #failed(error: Error, startedAt: number): Promise<ClaudeNetError> {
    if (!isReset(error)) return unanswered(error, this.label)
    const { whyRefused } = await import('./ssh-link.ts')
    const why = whyRefused(this.files, startedAt)
    return why ? closedWay(why, this.label) : unanswered(error, this.label)
  }
}

/** Returns the error for a request that was not sent, since the connection cannot be opened. */
function closedWay(failure: SshFailure, label: string): ClaudeNetError {
  // Without a cause, since nothing was sent.
  return new ClaudeNetError('unavailable', `The hub at ${label} cannot be reached: ${inWords(failure)}.`, failure.hint)
}

/** Reports whether no ssh was listening, so that the request was certainly not sent. */
function isWithoutListener({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}

function isReset({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE'
}
