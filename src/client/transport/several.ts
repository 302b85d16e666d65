import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { minSeqParameter, seqHeader, staleHeader } from '../../protocol/seq-header.ts'
import { noSshHost } from '../../protocol/ssh-host.ts'
import type { HubMemory, Known } from '../hub-memory.ts'
import type { HubWay } from '../hubs.ts'
import { isCertainlyUnsent } from './direct.ts'
import { HubConnection } from './hub-connection.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** Total time until a hub must have passed a health check, in ms: directly, and through ssh, which may have to be started first. */
const within = { direct: { openMs: 1000, healthyMs: 1000 }, ssh: { openMs: 6000, healthyMs: 2000 } }

/** Time until a machine that has left its own hub checks it again, in ms: random between these. */
const homeMs = { least: 5 * 60_000, most: 15 * 60_000 }

/** Time for which a hub that has failed is tried after the others, in ms. */
const failedMs = 30_000

/** Age of a request, in ms, from which on its timeout makes the next request try another hub first, even if this one is healthy. */
const stuckMs = 3000

/**
 * Time for which a known position of the log is required of other hubs, in ms. A hub that lags longer refuses requests by itself, and a
 * restored log may be at an earlier position.
 */
const seqMs = 60_000

export interface SeveralOptions {
  /** Returns the configured hubs, the machine's own first. Called before each request. */
  ways: () => readonly [HubWay, ...HubWay[]]
  open: (way: HubWay) => Transport
  memory: Pick<HubMemory, 'read' | 'write'>
  /** Returns the time, in ms since 1970. */
  now?: () => number
  /** Returns a random number from 0 to 1. */
  random?: () => number
}

/**
 * The transport to several hubs over one log. Requests go to the hub that responded last. If it does not respond, lags behind the log or
 * is cut off from it (`unavailable`), the same request goes to the next; a refusal is final. Later the machine returns to its own hub. With
 * one hub this behaves like the transport to that hub.
 */
export class SeveralHubs implements Transport {
  readonly #options: SeveralOptions
  readonly #now: () => number
  readonly #connections = new Map<string, HubConnection>()
  /** The hubs in the configuration, as of the last request. */
  #ways!: readonly [HubWay, ...HubWay[]]
  /** Id of the hub in use. */
  #at = ''
  #homeAt = 0
  #seq: Known['seq']
  #isRemembered = false
  #hasWritten = false
  #isChecking = false

  constructor(options: SeveralOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#follow()
  }

  /** The label of the hub in use. */
  get label(): string {
    return this.#connection(this.way).transport.label
  }

  /** The hub in use. */
  get way(): HubWay {
    return this.#ways.find(({ id }) => id === this.#at)!
  }

  async request(request: TransportRequest): Promise<IncomingMessage> {
    const ways = this.#follow()
    if (ways.length === 1) return this.#connection(ways[0]).request(request, false)
    this.#hasWritten ||= request.method !== 'GET'
    this.#checkHome(ways[0])
    return this.#ask(this.#inOrder(ways), request)
  }

  async opened(): Promise<void> {
    const ways = this.#follow()
    const isOpened = this.#connection(this.way).transport.opened()
    // If the hub cannot be reached in this time, the next request tries another.
    await (ways.length === 1 ? isOpened : Promise.race([isOpened, delay(within.ssh.openMs, undefined, { ref: false })]))
  }

  close(): void {
    if (this.#hasWritten && this.#seq) this.#remember()
    for (const connection of this.#connections.values()) connection.transport.close()
  }

  /** Sends the request to one hub after the other until one responds properly. */
  async #ask(ways: HubWay[], request: TransportRequest): Promise<IncomingMessage> {
    const [first] = ways
    let stopgap: IncomingMessage | undefined
    const startedAt = performance.now()
    const failures = new Map<HubWay, ClaudeNetError>()
    for (const way of ways) {
      try {
        const answer = await this.#askOne(way, request, true)
        const rank = rankOf(answer)
        if (rank === 0 || rank < rankOf(stopgap)) {
          discard(stopgap)
          stopgap = answer.on('error', () => {})
        } else discard(answer)
        if (rank > 0) continue
        return this.#settle(way, first!, answer)
      } catch (error) {
        if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable' || request.signal?.aborted) {
          discard(stopgap)
          const isStuck = request.signal?.reason?.name === 'TimeoutError' && performance.now() - startedAt > stuckMs
          if (isStuck && way === first && this.#at === way.id) this.#moveTo(ways[1]!)
          throw error
        }
        failures.set(way, error)
      }
    }
    if (stopgap) return stopgap
    // Retry without limits of time: on a network slower than these, a hub must still be reachable.
    const slow = ways.find(way => isSlow(failures.get(way)))
    if (!slow) throw together(this.#ways, failures)
    try {
      return this.#settle(slow, first!, await this.#askOne(slow, request, false))
    } catch {
      throw together(this.#ways, failures)
    }
  }

  /** Switches to the hub that has responded, unless another request has switched meanwhile. */
  #settle(way: HubWay, first: HubWay, answer: IncomingMessage): IncomingMessage {
    if (this.#at === first.id) this.#moveTo(way)
    return answer
  }

  async #askOne(way: HubWay, request: TransportRequest, mayBeLeft: boolean): Promise<IncomingMessage> {
    const answer = await this.#connection(way).request({ ...request, path: this.#withSeq(way, request) }, mayBeLeft)
    if (rankOf(answer) > 0) this.#connection(way).failedAt = performance.now()
    const value = Number(answer.headers[seqHeader] ?? Number.NaN)
    if (Number.isSafeInteger(value) && (value >= (this.#seq?.value ?? 0) || this.#isOldSeq))
      this.#seq = { value, from: way.id, at: this.#now() }
    return answer
  }

  /** Adds the known position of the log to the path, if it came from another hub: this one must have reached it. */
  #withSeq({ id }: HubWay, { path, headers }: TransportRequest): string {
    if (!this.#seq || this.#seq.from === id || this.#isOldSeq) return path
    if (headers.authorization === undefined && headers.cookie === undefined) return path
    return `${path}${path.includes('?') ? '&' : '?'}${minSeqParameter}=${this.#seq.value}`
  }

  get #isOldSeq(): boolean {
    return Math.abs(this.#now() - (this.#seq?.at ?? 0)) > seqMs
  }

  /** Returns the hubs with the one in use first, and those that have failed recently last. */
  #inOrder(ways: readonly HubWay[]): HubWay[] {
    const hasFailed = ({ id }: HubWay) =>
      performance.now() - (this.#connections.get(id)?.failedAt ?? -Infinity) < failedMs
    const rank = (way: HubWay) => (way.id === this.#at ? 0 : hasFailed(way) ? 2 : 1)
    return ways.toSorted((a, b) => rank(a) - rank(b))
  }

  /** Returns to the machine's own hub, in the background, if a check is due and the hub is ready. */
  #checkHome(home: HubWay): void {
    const now = this.#now()
    // The clock was set back.
    if (this.#homeAt - now > homeMs.most) this.#homeAt = this.#nextCheck()
    if (this.#at === home.id || this.#isChecking || now < this.#homeAt) return
    this.#isChecking = true
    this.#homeAt = this.#nextCheck()
    void this.#connection(home)
      .isReady()
      .then(isReady => {
        this.#isChecking = false
        if (isReady && this.#follow()[0].id === home.id) this.#moveTo(home)
      })
  }

  #nextCheck(): number {
    const { random = Math.random } = this.#options
    return this.#now() + homeMs.least + random() * (homeMs.most - homeMs.least)
  }

  #moveTo(way: HubWay): void {
    if (this.#at === way.id) return
    this.#at = way.id
    this.#homeAt = this.#nextCheck()
    for (const [id, connection] of this.#connections) if (id !== way.id) connection.leave()
    this.#remember()
  }

  #remember(): void {
    this.#options.memory.write({ at: this.#at, homeAt: this.#homeAt, ...(this.#seq && { seq: this.#seq }) })
  }

  /** Applies the current configuration, and leaves hubs that are no longer in it. */
  #follow(): readonly [HubWay, ...HubWay[]] {
    const ways = this.#options.ways()
    if (ways.length > 1 && !this.#isRemembered) {
      this.#isRemembered = true
      const known = this.#options.memory.read()
      if (known) [this.#at, this.#homeAt, this.#seq] = [known.at, known.homeAt, known.seq]
    }
    for (const [id, connection] of this.#connections) {
      if (ways.some(way => way.id === id)) continue
      connection.leave()
      this.#connections.delete(id)
    }
    if (!ways.some(({ id }) => id === this.#at)) this.#at = ways[0].id
    this.#ways = ways
    return ways
  }

  #connection(way: HubWay): HubConnection {
    const known = this.#connections.get(way.id)
    if (known?.isOpen) return known
    const connection = new HubConnection(
      way.id,
      this.#options.open(way),
      way.sshHost === noSshHost ? within.direct : within.ssh,
    )
    if (known) connection.failedAt = known.failedAt
    this.#connections.set(way.id, connection)
    return connection
  }
}

/** Rates a response: 0 for a hub that is up to date with the log, 1 for one that is not, 2 for a proxy without a hub, 3 for none. */
function rankOf(answer: IncomingMessage | undefined): number {
  if (!answer) return 3
  // A proxy in front of a hub that is down responds with 502, 503 or 504.
  if ([502, 503, 504].includes(answer.statusCode ?? 0)) return 2
  return answer.headers[staleHeader] === undefined ? 0 : 1
}

function discard(answer: IncomingMessage | undefined): void {
  answer?.on('error', () => {}).resume()
}

function isSlow(error: ClaudeNetError | undefined): boolean {
  return ['AbortError', 'TimeoutError'].includes((error?.cause as Error | undefined)?.name ?? '')
}

/** Returns one error for all failures. Its cause shows, like that of a single failure, whether the request may have been sent. */
function together(ways: readonly HubWay[], failures: ReadonlyMap<HubWay, ClaudeNetError>): ClaudeNetError {
  const failed = [...failures].sort(
    ([a], [b]) => ways.findIndex(({ id }) => id === a.id) - ways.findIndex(({ id }) => id === b.id),
  )
  const [[, first], ...others] = failed as [[HubWay, ClaudeNetError], ...[HubWay, ClaudeNetError][]]
  const names = others.map(([{ hub, sshHost }]) => (sshHost === noSshHost ? hub.origin : sshHost))
  const error = new ClaudeNetError(
    'unavailable',
    `${first.message} The other hubs of this machine cannot be reached either: ${names.join(', ')}.`,
    first.hint,
  )
  const perhapsSent = failed.find(([, each]) => !isCertainlyUnsent(each))
  return Object.assign(error, { cause: (perhapsSent?.[1] ?? first).cause })
}
