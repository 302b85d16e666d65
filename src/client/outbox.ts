import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from '../disk/process-lock.ts'
import { diskTrouble, removeUnfinished, syncDirectory } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { newMessageId } from '../protocol/ids.ts'
import { keptHeader, type SendAnswer, type SendRequest } from '../protocol/messages.ts'
import { hubRoutes } from '../protocol/routes/hub.ts'
import { meRoutes } from '../protocol/routes/me.ts'
import { messagesRoutes } from '../protocol/routes/messages.ts'
import { Backlog } from './backlog.ts'
import type { Home } from './home.ts'
import type { HubClient } from './hub-client.ts'
import { type Kept, type KeptFile, keep, listKept, readKept, wellFormed } from './kept.ts'
import { Directory } from './outbox-order.ts'
import { Refusals, type Refused } from './refusals.ts'
import { isCertainlyUnsent } from './transport/direct.ts'

/** How long a drainer that was stopped stands in the way, in ms; one that has ended does not. A live one says so every half of that. */
const staleLockMs = 10_000

/** How long what the hub says of its members is taken as true, in ms. */
const directoryMs = 30_000

/** How long the hub may take to show that it answers at all, after a send got no answer, in ms. */
const probeMs = 2000

/** A kept message on which the hub itself fails is given up after so long, in ms: mail to the same recipient waits behind it. */
const failingMs = 3_600_000

/** What came of a send: the hub's answer, or that it is kept and why; `behind` others, though the hub answers. */
export type Sent =
  | { kept: false; answer: SendAnswer }
  | { kept: true; id: string; waiting: number; why: string; behind?: true }

/** What came of one message that waited: the hub's answer, or its refusal. */
export interface Decided {
  to: string | string[]
  outcome: SendAnswer | ClaudeNetError
}

/** What came of one attempt to send what waits: by id what was decided, how many wait still, and why, or ''. */
export interface Drained {
  decided: Map<string, Decided>
  waiting: number
  why: string
  /** The hub will have nothing of this machine: its token, its address. */
  refusesUs: boolean
}

/** One attempt, while it runs. */
interface Pass {
  decided: Drained['decided']
  backlog: Backlog
  /** What ended the attempt before all was tried: the hub is away, or refuses this machine. */
  stopped?: ClaudeNetError
  /** Sends of this attempt that got no answer although the hub lives. */
  unanswered: number
}

/**
 * Sends that no hub has answered yet, one file each in `outbox/`, numbered in the order in which they were sent. Shared by all
 * processes of a machine; sending again under the same id is safe, so a file is removed only after an answer.
 *
 *   send()     tries at once unless something waits for one of the same recipients, or no hub answers: then the message is kept
 *   drain()    sends what waits, one process at a time. The order of what goes to one recipient stays; a message that must wait
 *              holds up only what may touch the same inboxes
 *   refusals   what a hub refused for good after it had waited
 *
 * Where the disk cannot be written, what waits is sent all the same, and a send that would have to be kept throws.
 */
export class Outbox {
  readonly refusals: Refusals
  readonly #home: Home
  readonly #client: HubClient
  /** The end of this process's queue: sends leave one after the other, so that none overtakes one that is being kept. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Sends of this process that are neither answered nor kept yet, in order. */
  readonly #underWay = new Set<Kept>()
  /** What was refused for now, by id: until when (ms since 1970), and why. */
  readonly #held = new Map<string, { until: number; why: string }>()
  /** Decided, but the disk would not let go of the file. */
  readonly #done = new Set<string>()
  /** What came of others while a send was tried, for the next who drains. */
  readonly #decidedBefore: Drained['decided'] = new Map()
  #directory: { at: number; directory: Directory } | undefined

  constructor(home: Home, client: HubClient) {
    this.#home = home
    this.#client = client
    this.refusals = new Refusals(home)
  }

  /**
   * Sends, or keeps what no hub answered. Throws what is malformed, what the hub refused, and what could neither be sent nor
   * kept; then nothing is kept.
   */
  async send(request: SendRequest): Promise<Sent> {
    const kept = wellFormed({ ...request, id: request.id ?? newMessageId() })
    this.#underWay.add(kept)
    return this.#inTurn(() => this.#sendOrKeep(kept)).finally(() => this.#underWay.delete(kept))
  }

  /** Keeps every send that has no answer yet, at once: for a process that is about to end. Answers how many, and why not the others. */
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

  /**
   * Sends what waits. Answers what came of each that was decided, by id, and how many wait still, with the reason. Does nothing
   * while another process drains.
   */
  drain(): Promise<Drained> {
    return this.#inTurn(async () => {
      const { decided, why, stopped } = await this.#drain()
      for (const [id, what] of this.#decidedBefore) decided.set(id, what)
      this.#decidedBefore.clear()
      return { decided, waiting: this.waiting().length, why, refusesUs: stopped !== undefined && isNo(stopped) }
    })
  }

  /** The ids of later mail that waits here for a hub. */
  waitingLater(): string[] {
    return [...this.#files()].filter(({ request }) => request.at !== undefined).map(({ request }) => request.id)
  }

  /** Takes what waits under `id` away: it is not to be sent. */
  forget(id: string): void {
    this.#remove(id)
  }

  /** The files that wait, oldest first. */
  waiting(): string[] {
    return waitingIn(this.#home)
  }

  /** Refusals that no session of this machine was told of yet. Each is told once, to whoever asks first. */
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
      const wasKept = this.#isWaiting(id)
      this.#keep(request, 'Earlier mail to the same recipient waits here.', true)
      const { decided, stopped, why, reasons } = await this.#drain()
      for (const [other, what] of decided) if (other !== id) this.#decidedBefore.set(other, what)
      const outcome = decided.get(id)?.outcome
      if (outcome) return this.#told(id, outcome)
      if (stopped && isNo(stopped) && !wasKept) {
        this.#remove(id)
        throw stopped
      }
      // Neither decided nor waiting: another process has sent it meanwhile, and it gets the same answer again.
      if (this.#isWaiting(id)) {
        const isAway = stopped?.code === 'unavailable'
        const waiting = this.waiting().length
        return { kept: true, id, waiting, why: reasons.get(id) ?? why, ...(!isAway && { behind: true }) }
      }
    }
    try {
      return this.#told(id, await this.#post(request))
    } catch (error) {
      return this.#keepUnlessRefused(request, error, isCertainlyUnsent(error as Error))
    }
  }

  #keepUnlessRefused(request: Kept, error: unknown, isUnsent: boolean): Sent {
    if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
    this.#keep(request, error.message, isUnsent)
    return { kept: true, id: request.id, waiting: this.waiting().length, why: error.message }
  }

  /** The sender is told of this outcome directly. */
  #told(id: string, outcome: SendAnswer | ClaudeNetError): Sent {
    this.refusals.forget(id)
    if (outcome instanceof ClaudeNetError) throw outcome
    return { kept: false, answer: outcome }
  }

  /** Whether something waits that may go to one of the same recipients. */
  async #mustWait(request: Kept): Promise<boolean> {
    const backlog = this.#backlog()
    for (const file of this.#files()) backlog.add(file)
    return (await backlog.before(request)).length > 0
  }

  async #drain(): Promise<
    Pick<Drained, 'decided' | 'why'> & { stopped?: ClaudeNetError; reasons: Map<string, string> }
  > {
    for (const dir of [this.#home.dir, this.#home.outboxDir, this.refusals.directory]) removeUnfinished(dir)
    const decided: Drained['decided'] = new Map()
    const seen = new Set<string>()
    // Again after unlocking: what was kept meanwhile, by a process that found the lock taken, nobody else would send.
    for (;;) {
      if (this.waiting().every(file => seen.has(file))) return { decided, why: '', reasons: new Map() }
      const unlock = await this.#lock()
      if (!unlock) return { decided, why: 'another process is sending what waits', reasons: new Map() }
      const pass: Pass = { decided, backlog: this.#backlog(), unanswered: 0 }
      try {
        await this.#sendAll(pass, seen)
      } catch (error) {
        if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
        pass.stopped = error
      } finally {
        await unlock()
      }
      const { stopped, backlog } = pass
      if (stopped || this.waiting().every(file => seen.has(file)))
        return { decided, why: stopped?.message ?? backlog.why, stopped, reasons: backlog.reasons }
    }
  }

  /** Tries every file in order, but not those that have to wait for an earlier one. */
  async #sendAll(pass: Pass, seen: Set<string>): Promise<void> {
    const { backlog } = pass
    for (const kept of this.#files()) {
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

  /** Tries once more what a later message is about to pass, in order: whatever can go must not be overtaken. */
  async #sendAgain(waiting: KeptFile[], pass: Pass): Promise<void> {
    const failed = this.#backlog()
    for (const kept of [...waiting]) {
      if ((await failed.before(kept.request)).length > 0) continue
      if (await this.#sendOne(kept, pass)) pass.backlog.remove(kept)
      else failed.add(kept)
      if (pass.stopped) return
    }
  }

  /** Sends one file. Answers whether it was decided; if not, it is held, or the attempt has to stop. */
  async #sendOne({ file, request, ageMs }: KeptFile, pass: Pass): Promise<boolean> {
    const { id } = request
    try {
      const answer = await this.#post(request, { [keptHeader]: '1' })
      pass.decided.set(id, { to: request.to, outcome: answer })
      const refused = answer.recipients.filter(({ status }) => status === 'refused')
      // Stored for others: its sender was told that it goes out, and would not hear of these.
      if (refused.length > 0) {
        const whys = [...new Set(refused.map(({ reason }) => reason ?? 'no reason given'))].join(' ')
        const names = refused.map(({ name }) => name)
        this.refusals.add(file, request, names, new ClaudeNetError('forbidden', whys, 'The others have it.'))
      }
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      const isGivenUp = error.code === 'internal' && ageMs > failingMs
      if (!isGivenUp && (!error.settled || error.retryAfterMs !== undefined)) {
        await this.#hold(id, error, pass)
        return false
      }
      pass.decided.set(id, { to: request.to, outcome: error })
      if (!this.refusals.add(file, request, request.to, error)) {
        this.#done.add(id)
        return true
      }
    }
    this.#held.delete(id)
    this.#forget(file, id)
    return true
  }

  /** Decides whether what was refused for now concerns this message alone, or all. */
  async #hold(id: string, error: ClaudeNetError, pass: Pass): Promise<void> {
    const isNews = !pass.backlog.hasReason(error.message, id)
    this.#held.set(id, { until: Date.now() + holdMs(error), why: error.message })
    const isAboutIt =
      error.code === 'internal' ||
      // The same sentence for another recipient is about this machine.
      (error.code === 'rate_limited' && isNews) ||
      (error.code === 'unavailable' && pass.unanswered++ === 0 && (await this.#isHubThere(error)))
    if (!isAboutIt) pass.stopped = error
    // Whether the hub is back shows at the next attempt.
    if (pass.stopped) this.#held.delete(id)
  }

  /** Whether the hub answers others than this send, which got no answer. */
  async #isHubThere(error: ClaudeNetError): Promise<boolean> {
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

  async #post(request: Kept, headers: Record<string, string> = {}): Promise<SendAnswer> {
    try {
      return await this.#client.call(messagesRoutes.sendMessage, { body: request, headers })
    } catch (error) {
      const older = error instanceof ClaudeNetError && error.code === 'invalid' && forOlderHub(request, error.message)
      if (!older) throw asOlderHub(error)
      return this.#post(older, headers)
    }
  }

  /** What waits and can be read, oldest first. What is damaged is set aside. */
  *#files(): Generator<KeptFile> {
    for (const file of this.waiting()) {
      try {
        const kept = readKept(this.#home.outboxDir, file)
        if (kept && !this.#done.has(kept.request.id)) yield kept
      } catch {
        try {
          this.refusals.setAside(join(this.#home.outboxDir, file))
        } catch {
          // Gone meanwhile, or a disk that cannot be written: it stays where it is.
        }
      }
    }
  }

  #backlog(): Backlog {
    return new Backlog(() => this.#members())
  }

  /** Who is meant by which name; where the hub does not say, any name may be anybody. Throws `unavailable` without a hub. */
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

  /** Keeps `request`, or throws what its sender should know when the disk does not take it: `why` it was not sent. */
  #keep(request: Kept, why: string, isUnsent: boolean): void {
    try {
      this.#write(request)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
      const trouble = `It could not be kept in ${this.#home.outboxDir}: ${diskTrouble(error as NodeJS.ErrnoException)}.`
      throw isUnsent
        ? new ClaudeNetError('internal', `Not sent. ${why} ${trouble}`, 'Mend the disk, or send it again later.')
        : new ClaudeNetError(
            'internal',
            `Perhaps not sent: no answer came. ${why} ${trouble}`,
            `Under its id it can be sent again and is stored once: claude-net send --id ${request.id} …`,
          )
    }
  }

  #write(request: Kept): void {
    this.#underWay.delete(request)
    keep(this.#home.outboxDir, request)
  }

  #isWaiting(id: string): boolean {
    return this.waiting().some(file => file.includes(id))
  }

  #remove(id: string): void {
    for (const file of this.waiting()) if (file.includes(id)) this.#forget(file, id)
  }

  #forget(file: string, id: string): void {
    try {
      rmSync(join(this.#home.outboxDir, file), { force: true })
      syncDirectory(this.#home.outboxDir)
    } catch {
      // A disk that cannot be written. Sent again by another process it is the same message.
      this.#done.add(id)
    }
  }

  /**
   * Takes `run/outbox.lock`, or answers undefined while another process has it. Two drainers, after a long suspension or where
   * the disk takes no lock, send the same ids in the same order, which is safe.
   */
  async #lock(): Promise<(() => Promise<void>) | undefined> {
    try {
      return await takeLock(join(this.#home.runDir, 'outbox.lock'), { staleMs: staleLockMs })
    } catch {
      return async () => {}
    }
  }
}

/** Fields that change nothing of the message itself: a hub that does not know them gets it without. */
const mayBeLeftOut = ['withinS'] as const

/** The send without what an older hub has just called unknown to it; undefined where that was something else. */
function forOlderHub(request: Kept, refusal: string): Kept | undefined {
  const unknown = mayBeLeftOut.filter(field => request[field] !== undefined)
  if (unknown.length === 0 || !/unrecognized key/i.test(refusal)) return undefined
  return { ...request, ...Object.fromEntries(unknown.map(field => [field, undefined])) }
}

/** The files that wait in a home's outbox, oldest first. */
export function waitingIn(home: Home): string[] {
  return listKept(home.outboxDir)
}

/** A hub of before refuses fields that it does not know: a message that is to go later must not go now. */
function asOlderHub(error: unknown): unknown {
  if (!(error instanceof ClaudeNetError) || error.code !== 'invalid') return error
  const [, fields] = /^body: Unrecognized keys?: (.+)$/.exec(error.message) ?? []
  if (fields === undefined) return error
  return new ClaudeNetError(
    'invalid',
    `The hub is older than this client, and does not know ${fields.replaceAll('"', "'")}. Nothing was sent.`,
    'Ask its admin to update the hub, or send it without.',
  )
}

/** For how long what was refused for now is left alone, in ms. */
function holdMs({ retryAfterMs = 30_000 }: ClaudeNetError): number {
  return Math.min(Math.max(retryAfterMs, 1000), maxHoldMs)
}

const maxHoldMs = 15 * 60_000

/** Whether the hub will have nothing of this machine: a new send is refused then, and what was kept before stays. */
function isNo({ code }: ClaudeNetError): boolean {
  return code === 'unauthorized' || code === 'forbidden' || code === 'not_found'
}
