import { ClaudeNetError } from '../protocol/errors.ts'
import { keptHeader, type SendAnswer } from '../protocol/messages.ts'
import { hubRoutes } from '../protocol/routes/hub.ts'
import { Backlog } from './backlog.ts'
import type { HubClient } from './hub-client.ts'
import type { KeptFile } from './kept.ts'
import type { Directory } from './outbox-order.ts'
import type { OutboxStore } from './outbox-store.ts'
import { postMessage } from './post-message.ts'
import { isCertainlyUnsent } from './transport/direct.ts'

/** Timeout of the health check that follows a send without a response, in ms. */
const probeMs = 2000

/** Age at which a message that causes an internal error in the hub is given up, in ms: others to the same recipient wait behind it. */
const failingMs = 3_600_000

/** Longest time for which a message is not retried, in ms. */
const maxHoldMs = 15 * 60_000

/** The outcome of one message that waited: the hub's response, or its refusal. */
export interface Decided {
  to: string | string[]
  outcome: SendAnswer | ClaudeNetError
}

/** The outcome of one attempt to send the waiting messages. */
export interface DrainResult {
  /** The messages that were sent or finally refused, by id. */
  decided: Map<string, Decided>
  /** Why messages still wait, or ''. */
  why: string
  /** The error that ended the attempt before every message was tried: the hub is unreachable, or refuses this machine. */
  stopped?: ClaudeNetError
  /** Why each of them still waits, by id. */
  reasons: Map<string, string>
}

/** One pass over the files, while it runs. */
interface Pass {
  decided: Map<string, Decided>
  backlog: Backlog
  stopped?: ClaudeNetError
  /** Number of sends of this pass that got no response although the hub responds. */
  unanswered: number
}

/** Sends what waits in an outbox, in order for each recipient. */
export class OutboxDrain {
  readonly #store: OutboxStore
  readonly #client: HubClient
  readonly #members: () => Promise<Directory>
  /** Messages that were refused for now, by id: until when (ms since 1970), and why. */
  readonly #held = new Map<string, { until: number; why: string }>()

  /** `members` resolves the names of recipients. */
  constructor(store: OutboxStore, client: HubClient, members: () => Promise<Directory>) {
    this.#store = store
    this.#client = client
    this.#members = members
  }

  /** Tries once to send all waiting messages. Does nothing while another process drains. */
  async run(): Promise<DrainResult> {
    const store = this.#store
    store.removeUnfinished()
    const decided: DrainResult['decided'] = new Map()
    const seen = new Set<string>()
    // Again after unlocking: a process that found the lock taken may have added a message that no other process would send.
    for (;;) {
      if (store.waiting().every(file => seen.has(file))) return { decided, why: '', reasons: new Map() }
      const unlock = await store.lock()
      if (!unlock) return { decided, why: 'another process is sending what waits', reasons: new Map() }
      const pass: Pass = { decided, backlog: new Backlog(this.#members), unanswered: 0 }
      try {
        await this.#sendAll(pass, seen)
      } catch (error) {
        if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
        pass.stopped = error
      } finally {
        await unlock()
      }
      const { stopped, backlog } = pass
      if (stopped || store.waiting().every(file => seen.has(file)))
        return { decided, why: stopped?.message ?? backlog.why, stopped, reasons: backlog.reasons }
    }
  }

  /** Tries every file in order, except those that have to wait for an earlier one. */
  async #sendAll(pass: Pass, seen: Set<string>): Promise<void> {
    const { backlog } = pass
    for (const kept of this.#store.files()) {
      seen.add(kept.file)
      const { id } = kept.request
      const before = await backlog.before(kept.request)
      if (before.length > 0 && !(await backlog.mayPass(kept, before))) backlog.add(kept, backlog.whyOf(before[0]!))
      else if (before.length === 0 && this.#isHeld(id)) backlog.add(kept, this.#held.get(id)!.why)
      else {
        await this.#sendAgain(before, pass)
        if (!pass.stopped && !(await this.#sendOne(kept, pass))) backlog.add(kept, this.#held.get(id)?.why)
      }
      if (pass.stopped) return
    }
  }

  /** Retries, in order, the messages that a later one is about to pass: a message that can be sent must not be overtaken. */
  async #sendAgain(waiting: KeptFile[], pass: Pass): Promise<void> {
    const failed = new Backlog(this.#members)
    for (const kept of [...waiting]) {
      if ((await failed.before(kept.request)).length > 0) continue
      if (await this.#sendOne(kept, pass)) pass.backlog.remove(kept)
      else failed.add(kept)
      if (pass.stopped) return
    }
  }

  /** Sends one file. Returns whether it was decided; if not, it is held, or the attempt has to stop. */
  async #sendOne({ file, request, ageMs }: KeptFile, pass: Pass): Promise<boolean> {
    const { id } = request
    const { refusals } = this.#store
    try {
      const answer = await postMessage(this.#client, request, { [keptHeader]: '1' })
      pass.decided.set(id, { to: request.to, outcome: answer })
      const refused = answer.recipients.filter(({ status }) => status === 'refused')
      // It is stored for the others. Its sender was told only that the message is kept, so these refusals are recorded for the machine.
      if (refused.length > 0) {
        const whys = [...new Set(refused.map(({ reason }) => reason ?? 'no reason given'))].join(' ')
        const names = refused.map(({ name }) => name)
        refusals.add(file, request, names, new ClaudeNetError('forbidden', whys, 'The other recipients have it.'))
      }
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      const isGivenUp = error.code === 'internal' && ageMs > failingMs
      if (!isGivenUp && (!error.settled || error.retryAfterMs !== undefined)) {
        await this.#hold(id, error, pass)
        return false
      }
      pass.decided.set(id, { to: request.to, outcome: error })
      if (!refusals.add(file, request, request.to, error)) {
        this.#store.ignore(id)
        return true
      }
    }
    this.#held.delete(id)
    this.#store.remove(file, id)
    return true
  }

  /** Decides whether a temporary refusal concerns this message alone, or every message. */
  async #hold(id: string, error: ClaudeNetError, pass: Pass): Promise<void> {
    const isNewReason = !pass.backlog.hasReason(error.message, id)
    this.#held.set(id, { until: Date.now() + holdMs(error), why: error.message })
    const isItsOwn =
      error.code === 'internal' ||
      // The same error for messages to different recipients concerns this machine.
      (error.code === 'rate_limited' && isNewReason) ||
      (error.code === 'unavailable' && pass.unanswered++ === 0 && (await this.#isHubResponding(error)))
    if (!isItsOwn) pass.stopped = error
    // The next attempt shows whether the hub is back.
    if (pass.stopped) this.#held.delete(id)
  }

  /** Reports whether the hub responds to other requests than this send, which got no response. */
  async #isHubResponding(error: ClaudeNetError): Promise<boolean> {
    if (isCertainlyUnsent(error)) return false
    const { method, path } = hubRoutes.health
    try {
      const signal = AbortSignal.timeout(probeMs)
      const answer = await this.#client.transport.request({ method, path, headers: {}, signal })
      answer.on('error', () => {}).resume()
      return answer.statusCode === 200
    } catch {
      return false
    }
  }

  #isHeld(id: string): boolean {
    const leftMs = (this.#held.get(id)?.until ?? 0) - Date.now()
    // A clock that was set back must not hold it longer.
    return leftMs > 0 && leftMs <= maxHoldMs
  }
}

/** Returns the time for which a message that was refused for now is not retried, in ms. */
function holdMs({ retryAfterMs = 30_000 }: ClaudeNetError): number {
  return Math.min(Math.max(retryAfterMs, 1000), maxHoldMs)
}
