import { diskTrouble } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { newMessageId } from '../protocol/ids.ts'
import type { SendAnswer, SendRequest } from '../protocol/messages.ts'
import { meRoutes } from '../protocol/routes/me.ts'
import { Backlog } from './backlog.ts'
import type { Home } from './home.ts'
import type { HubClient } from './hub-client.ts'
import { type Kept, wellFormed } from './kept.ts'
import { type Decided, OutboxDrain } from './outbox-drain.ts'
import { Directory } from './outbox-order.ts'
import { OutboxStore } from './outbox-store.ts'
import { postMessage } from './post-message.ts'
import type { Refusals, Refused } from './refusals.ts'
import { isCertainlyUnsent } from './transport/direct.ts'

export type { Decided }

/** Time for which the hub's list of members is reused, in ms. */
const directoryMs = 30_000

/** The outcome of a send: the hub's response, or that it is kept and why; with `behind`, behind others although the hub responds. */
export type Sent =
  | { kept: false; answer: SendAnswer }
  | { kept: true; id: string; waiting: number; why: string; behind?: true }

/** The outcome of one attempt to send what waits. */
export interface Drained {
  /** The messages that were decided, by id. */
  decided: Map<string, Decided>
  /** Number of messages that still wait. */
  waiting: number
  /** Why they wait, or ''. */
  why: string
  /** The hub refuses this machine: its token, or its address. */
  refusesUs: boolean
}

/**
 * Sends that no hub has responded to yet, one file each in `outbox/`, numbered in the order in which they were sent. Shared by all
 * processes of a machine; sending again under the same id is safe, so a file is removed only after a response.
 *
 *   send()     tries at once; if a message for one of the same recipients waits, or no hub responds, keeps the message
 *   drain()    sends the waiting messages, one process at a time. The order for each recipient is preserved; a message that must
 *              wait holds up only those that may go to the same inboxes
 *   refusals   messages that a hub finally refused after they had waited
 *
 * If the disk cannot be written, waiting messages are still sent, and a send that would have to be kept throws.
 */
export class Outbox {
  readonly #store: OutboxStore
  readonly #drain: OutboxDrain
  readonly #client: HubClient
  /** The end of this process's queue: sends run one after the other, so that none overtakes one that is being kept. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Sends of this process that have no response yet and are not kept yet, in order. */
  readonly #underWay = new Set<Kept>()
  /** Outcomes of other messages that a send has drained, for the next call of `drain`. */
  readonly #decidedBefore: Drained['decided'] = new Map()
  #directory: { at: number; directory: Directory } | undefined

  constructor(home: Home, client: HubClient) {
    this.#client = client
    this.#store = new OutboxStore(home)
    this.#drain = new OutboxDrain(this.#store, client, () => this.#members())
  }

  get refusals(): Refusals {
    return this.#store.refusals
  }

  /**
   * Sends the message, or keeps it if no hub responds. Throws if it is malformed, if the hub refused it, or if it could neither be sent nor
   * kept; then nothing is kept.
   */
  async send(request: SendRequest): Promise<Sent> {
    const kept = wellFormed({ ...request, id: request.id ?? newMessageId() })
    this.#underWay.add(kept)
    return this.#inTurn(() => this.#sendOrKeep(kept)).finally(() => this.#underWay.delete(kept))
  }

  /**
   * Keeps every send that has no response yet, at once, for a process that is about to end. Returns how many were kept, and why the others
   * were not.
   */
  keepUnderWay(): { kept: number; trouble: string } {
    let [kept, trouble] = [0, '']
    for (const request of this.#underWay) {
      try {
        this.#write(request)
        kept++
      } catch (error) {
        trouble = diskTrouble(error as NodeJS.ErrnoException)
      }
    }
    return { kept, trouble }
  }

  /** Sends the waiting messages. Does nothing while another process drains. */
  drain(): Promise<Drained> {
    return this.#inTurn(async () => {
      const { decided, why, stopped } = await this.#drain.run()
      for (const [id, outcome] of this.#decidedBefore) decided.set(id, outcome)
      this.#decidedBefore.clear()
      return { decided, waiting: this.waiting().length, why, refusesUs: stopped !== undefined && isRefusal(stopped) }
    })
  }

  /** Returns the ids of scheduled messages that wait here for a hub. */
  waitingLater(): string[] {
    return [...this.#store.files()].filter(({ request }) => request.at !== undefined).map(({ request }) => request.id)
  }

  /** Removes the waiting message `id`, so that it is not sent. */
  forget(id: string): void {
    this.#store.removeId(id)
  }

  /** Returns the files that wait, oldest first. */
  waiting(): string[] {
    return this.#store.waiting()
  }

  /** Returns refusals that no session of this machine was notified of yet. Each is returned once, to the first caller. */
  takeRefused(): Refused[] {
    return this.refusals.take()
  }

  /** Runs `work` after everything else that this process sends. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => {})
    return result
  }

  async #sendOrKeep(request: Kept): Promise<Sent> {
    const { id } = request
    let mustWait: boolean
    try {
      mustWait = await this.#mustWait(request)
    } catch (error) {
      return this.#keepUnlessRefused(request, error, true)
    }
    if (mustWait) {
      const wasKept = this.#store.isWaiting(id)
      this.#keep(request, 'An earlier message to the same recipient waits here.', true)
      const { decided, stopped, why, reasons } = await this.#drain.run()
      for (const [other, outcome] of decided) if (other !== id) this.#decidedBefore.set(other, outcome)
      const outcome = decided.get(id)?.outcome
      if (outcome) return this.#result(id, outcome)
      if (stopped && isRefusal(stopped) && !wasKept) {
        this.#store.removeId(id)
        throw stopped
      }
      // Neither decided nor waiting: another process has sent it meanwhile, and sending it again returns the same response.
      if (this.#store.isWaiting(id)) {
        const isAway = stopped?.code === 'unavailable'
        const waiting = this.waiting().length
        return { kept: true, id, waiting, why: reasons.get(id) ?? why, ...(!isAway && { behind: true }) }
      }
    }
    try {
      return this.#result(id, await postMessage(this.#client, request))
    } catch (error) {
      return this.#keepUnlessRefused(request, error, isCertainlyUnsent(error as Error))
    }
  }

  #keepUnlessRefused(request: Kept, error: unknown, isUnsent: boolean): Sent {
    if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
    this.#keep(request, error.message, isUnsent)
    return { kept: true, id: request.id, waiting: this.waiting().length, why: error.message }
  }

  /** Returns or throws the outcome to the sender, so that no session is notified of a refusal. */
  #result(id: string, outcome: SendAnswer | ClaudeNetError): Sent {
    this.refusals.forget(id)
    if (outcome instanceof ClaudeNetError) throw outcome
    return { kept: false, answer: outcome }
  }

  /** Reports whether a message waits that may go to one of the same recipients. */
  async #mustWait(request: Kept): Promise<boolean> {
    const backlog = new Backlog(() => this.#members())
    for (const file of this.#store.files()) backlog.add(file)
    return (await backlog.before(request)).length > 0
  }

  /** Returns the directory of names; an empty one if the hub refuses to list them. Throws `unavailable` without a hub. */
  async #members(): Promise<Directory> {
    if (this.#directory && Math.abs(Date.now() - this.#directory.at) < directoryMs) return this.#directory.directory
    try {
      const directory = new Directory(await this.#client.call(meRoutes.listMachines))
      this.#directory = { at: Date.now(), directory }
      return directory
    } catch (error) {
      if (error instanceof ClaudeNetError && error.code !== 'unavailable') return new Directory()
      throw error
    }
  }

  /** Keeps `request`. If the disk cannot be written, throws an error for its sender; `why` is the reason why it was not sent. */
  #keep(request: Kept, why: string, isUnsent: boolean): void {
    try {
      this.#write(request)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      const trouble = `It could not be kept in ${this.#store.directory}: ${diskTrouble(error as NodeJS.ErrnoException)}.`
      throw isUnsent
        ? new ClaudeNetError('internal', `Not sent. ${why} ${trouble}`, 'Repair the disk, or send it again later.')
        : new ClaudeNetError(
            'internal',
            `Perhaps not sent: no response came. ${why} ${trouble}`,
            `Sent again with its id it is stored only once: claude-net send --id ${request.id} …`,
          )
    }
  }

  #write(request: Kept): void {
    this.#underWay.delete(request)
    this.#store.add(request)
  }
}

/** Reports whether the hub refuses everything from this machine: then a new send is refused, and kept messages stay. */
function isRefusal({ code }: ClaudeNetError): boolean {
  return code === 'unauthorized' || code === 'forbidden' || code === 'not_found'
}
