import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { version } from '../protocol/version.ts'
import { hasAsked, inheritAsked, noteAsked } from './asked.ts'
import { burstMs, Ladder, quietMs, rungMs, type View, type WakeStep } from './ladder.ts'
import { dirToKeep, isKept, isOwn, type LiveSession, liveSessions, type SessionFile } from './live-sessions.ts'
import {
  dropNews,
  type Fate,
  hasNews,
  keepOnly,
  type Mail,
  markKnown,
  mayWake,
  putBack,
  putNews,
  takeBack,
  takeNews,
} from './news.ts'
import { processPlace } from './process-place.ts'
import { Reach } from './reach.ts'
import { headlessTakesPart, instanceOf, isHeadless, type SessionDir, sessionDirs } from './session-dir.ts'
import { readState } from './session-state.ts'
import { Turns } from './turns.ts'
import { readUnread, toMail } from './unread.ts'

/** How often is looked whether somebody's time is over, in ms. What the hub tells does not wait for that. */
const lookMs = 1000

/** How long events are gathered before the inbox is read, in ms. */
const gatherMs = 100

/**
 * How long it stays this session's turn after each of its steps, in ms. Longer than a rung has, so that the session's own next
 * step comes before the turn of another.
 */
const turnMs = rungMs + 15_000

/** A session that has just begun is left to its user for so long, in ms: the first prompt tells what waits. */
const graceMs = 10_000

/** How often the file that says who keeps the directory is touched, in ms. */
const touchMs = 5000

export interface KeeperOptions {
  /** Undefined where nobody can be told anything: the directory then only says that the session lives. */
  key: string | undefined
  /** The session as the hub knows it. */
  session: string
  home: string
  env: NodeJS.ProcessEnv
  /** Speaks with the hub; throws while this machine has not joined. */
  client: () => HubClient
  /** Sends a notification that Claude Code shows where channels are enabled. */
  pushChannel: (text: string, meta: Record<string, string>) => Promise<void>
  /** Called when the session comes into sight of a user, or goes out of it. */
  onHidden?: (isHidden: boolean) => void
  /** What went wrong and is tried again. */
  report: (error: unknown) => void
}

/**
 * Keeps one session's directory: follows the hub, puts there what the session's hooks should tell, and wakes the session when it
 * is idle. One process for each session, also where two MCP servers of ours run in it.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #dir: SessionDir
  readonly #isDeaf: boolean
  readonly #instance: string | undefined
  readonly #turns: Turns
  readonly #ladder = new Ladder()
  readonly #reach: Reach
  readonly #end = new AbortController()
  readonly #startedAt = performance.now()
  /** What is unread here, as the hub said last. */
  #unread = new Map<string, Mail>()
  #unreadCount = 0
  /** What this session was given, and is unread perhaps. */
  readonly #fetched = new Set<string>()
  /** What a wake has told, and no hook. */
  readonly #toldByWake = new Set<string>()
  readonly #fates: Fate[] = []
  #isKeeping = false
  #isFollowing = false
  #syncing: Promise<void> | undefined
  #mustSync = false
  #isLooking = false
  #mustLook = false
  #isHidden: boolean
  /** When the last step was taken, ms since 1970, and by which rung. */
  #wokenAt = 0
  #wokenBy: WakeStep['rung'] | undefined
  /** What went wrong at the last look. */
  #trouble = ''

  constructor(options: KeeperOptions) {
    const { key, env, home, session, pushChannel } = options
    this.#options = options
    this.#isDeaf = key === undefined || (isHeadless(env) && !headlessTakesPart(home))
    this.#dir = dirToKeep(key && !this.#isDeaf ? key : `deaf-${session}`, home)
    this.#instance = instanceOf(env)
    this.#turns = new Turns(session, home)
    this.#reach = new Reach({ dir: this.#dir, instance: this.#instance, env, pushChannel })
    this.#isHidden = this.#reach.isHidden
  }

  /** Nobody sees this session: it is no presence, and nothing is told here. */
  get isHidden(): boolean {
    return this.#isHidden
  }

  /** Begins, and goes on until `close`. */
  start(): void {
    const timer = setInterval(() => void this.#lookOn(), lookMs).unref()
    this.#end.signal.addEventListener('abort', () => clearInterval(timer))
    void this.#lookOn()
  }

  /** The hooks of this session will tell what is put there: one of them has run. */
  get hasHooks(): boolean {
    return this.#isKeeping && !this.#isDeaf && readState(this.#dir, this.#instance) !== undefined
  }

  /** Has the hooks tell this session something about the client itself, once. */
  remark(id: string, text: string): void {
    putNews(this.#dir, { kind: 'remark', id, seq: Date.now(), text })
  }

  /** An answer that is about to be written shows these: no hook need tell of them. */
  shown(ids: readonly string[]): void {
    markKnown(this.#dir, ids)
  }

  /** This session was given these messages: the machine's others need not hear of them. */
  fetched(ids: readonly string[]): void {
    for (const dir of sessionDirs(this.#options.home)) if (dir.key !== this.#dir.key) dropNews(dir, ids)
    for (const id of ids) {
      this.#fetched.add(id)
      const by = this.#ladder.settle(id)
      if (by) this.#note({ woken: { by, id, wokenAt: this.#wokenAt, fetchedAt: Date.now() } })
    }
  }

  /** This session has sent a message that wants an answer: it is told what becomes of it, and an answer wakes it. */
  asked(id: string): void {
    if (this.#isDeaf) return
    try {
      noteAsked(this.#dir, id)
    } catch (error) {
      this.#options.report(error) // The message is on its way all the same.
    }
  }

  /** The hub counts so many unread. */
  heard(unread: number): void {
    if (unread !== this.#unreadCount) this.#syncSoon()
  }

  async close(): Promise<void> {
    this.#end.abort()
    await this.#syncing
    if (this.#isKeeping) this.#dir.remove()
  }

  /** Every second: takes the directory once nobody has it, and goes one step up the ladder when it is time. */
  async #lookOn(): Promise<void> {
    try {
      await this.#look()
      this.#trouble = ''
    } catch (error) {
      // Such as a home that was removed: told once, not every second.
      if (String(error) !== this.#trouble) this.#options.report(error)
      this.#trouble = String(error)
    }
  }

  async #look(): Promise<void> {
    this.#mustLook = true
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      while (this.#mustLook && !this.#end.signal.aborted) {
        this.#mustLook = false
        this.#keep()
        this.#seeSession()
        if (!this.#isKeeping || this.#isDeaf || this.#isHidden) return
        if (this.#mustSync) await this.#sync()
        this.#offer()
        await this.#climb()
      }
    } finally {
      this.#isLooking = false
    }
  }

  /** Notes what Claude Code says of the session, also for the machine's other sessions. */
  #seeSession(): void {
    this.#reach.look()
    const { isHidden, record, activity } = this.#reach
    if (isHidden !== this.#isHidden) {
      this.#isHidden = isHidden
      this.#options.onHidden?.(isHidden)
      if (isHidden) for (const id of this.#ladder.ids) this.#ladder.settle(id)
      else this.#syncSoon()
    }
    if (!this.#isKeeping || this.#isDeaf) return
    const isWaiting = activity === 'waiting'
    this.#note({
      hidden: isHidden || undefined,
      waiting: isWaiting || undefined,
      parkedJob: record?.parkedJob,
    })
    for (const { dir } of this.#predecessors()) inheritAsked(this.#dir, dir)
  }

  /** The sessions whose conversation went on in this one. */
  #predecessors(): LiveSession[] {
    const { job, isHidden } = this.#reach.record ?? {}
    return job && !isHidden ? liveSessions(this.#options.home).filter(({ parkedJob }) => parkedJob === job) : []
  }

  /** Takes the directory, also again after somebody has removed it, and lets others see that it is kept. */
  #keep(): void {
    const isOurs = isOwn(this.#dir.read<SessionFile>('session.json'))
    if (this.#isKeeping && isOurs) {
      if (Date.now() - this.#dir.touchedAt('session.json') > touchMs) this.#dir.touch('session.json')
      return
    }
    const wasLost = this.#isKeeping
    this.#isKeeping = this.#takeDirectory()
    if (!wasLost || !this.#isKeeping) return
    // What the directory had is told anew: nobody knows what of it the session has heard.
    for (const id of this.#ladder.ids) {
      const mail = this.#unread.get(id)
      if (mail && !this.#fetched.has(id)) putNews(this.#dir, mail)
    }
  }

  #takeDirectory(): boolean {
    if (!this.#hasJoined()) return false
    const before = this.#dir.read<SessionFile>('session.json')
    if (before && !isOwn(before) && isKept(this.#dir, before) && before.instance === this.#instance) return false
    // Of a Claude Code that has ended: what it was told, this one was not.
    if (before?.instance !== this.#instance || !this.#instance) {
      for (const place of ['news', 'told', 'asked']) rmSync(this.#dir.file(place), { recursive: true, force: true })
    }
    this.#dir.make()
    for (const dir of sessionDirs(this.#options.home)) if (isAbandoned(dir)) dir.remove()
    const { session } = this.#options
    const startedAt = Date.now()
    this.#dir.write('session.json', {
      session,
      pid: process.pid,
      place: processPlace(),
      ...(this.#instance && { instance: this.#instance }),
      startedAt,
      version,
      ...(this.#isDeaf && { deaf: true }),
      ...(this.#isHidden && { hidden: true }),
    } satisfies SessionFile)
    if (!this.#isDeaf && !this.#isFollowing) void this.#follow()
    return true
  }

  /** After `leave` the client is still open, and there is nothing to come back to. */
  #hasJoined(): boolean {
    try {
      return existsSync(join(this.#options.home, 'config.json')) && this.#options.client() !== undefined
    } catch {
      return false
    }
  }

  async #follow(): Promise<void> {
    this.#isFollowing = true
    const { signal } = this.#end
    const onOpen = () => this.#syncSoon()
    while (!signal.aborted) {
      try {
        for await (const { event, data } of followEvents(this.#options.client(), { signal, onOpen })) {
          if (event === 'inbox') this.#syncSoon()
          if (event === 'receipt' && hasAsked(this.#dir, data.id) && data.status !== 'fetched') {
            const { id, seq, recipient, status } = data
            this.#fates.push({ kind: 'fate', id: `${id}-${recipient}`, message: id, seq, recipient, status })
            this.#syncSoon()
          }
        }
      } catch {
        // Not joined, or refused for now: every tool call says so.
        await delay(rungMs, undefined, { signal }).catch(() => {})
      }
    }
  }

  #syncSoon(): void {
    if (this.#mustSync) return
    this.#mustSync = true
    setTimeout(() => void this.#lookOn(), gatherMs)
  }

  /** Asks the hub what is unread, and brings the directory to it. */
  #sync(): Promise<void> {
    this.#syncing ??= this.#readUnread().finally(() => (this.#syncing = undefined))
    return this.#syncing
  }

  async #readUnread(): Promise<void> {
    this.#mustSync = false
    let messages: InboxMessage[]
    try {
      const answer = await readUnread(this.#options.client())
      messages = answer.messages
      this.#unreadCount = answer.unread
    } catch {
      // Out of reach. What is known stays told; the stream says when the hub is back.
      return
    }
    const own = new Set([this.#options.session, ...this.#predecessors().map(({ session }) => session)])
    const others = new Set(
      liveSessions(this.#options.home).flatMap(({ session }) => (own.has(session) ? [] : [session])),
    )
    const ours = messages.filter(({ held, muted }) => !held && !muted)
    const taken = ours.filter(({ fetchedBy }) => fetchedBy && others.has(fetchedBy.session)).map(({ id }) => id)
    for (const { id, fetchedBy } of ours) if (fetchedBy && own.has(fetchedBy.session)) this.#fetched.add(id)
    this.#unread = new Map(
      ours
        .filter(({ id }) => !taken.includes(id))
        .map(message => [message.id, toMail(message, hasAsked(this.#dir, message.replyTo))]),
    )
    for (const id of this.#ladder.ids) if (!this.#unread.has(id)) this.#ladder.settle(id)
    for (const id of this.#toldByWake) if (!this.#unread.has(id)) this.#toldByWake.delete(id)
    keepOnly(this.#dir, new Set(this.#unread.keys()), 'mail')
    this.#turns.keepOnly(new Set(messages.map(({ id }) => id)))
    this.#tellFates()
  }

  /** Has the hooks tell what became of what was sent. An answer tells by itself that its question was read. */
  #tellFates(): void {
    const answered = new Set([...this.#unread.values()].map(({ replyTo }) => replyTo))
    for (const fate of this.#fates.splice(0)) if (!answered.has(fate.message)) putNews(this.#dir, fate)
  }

  /** Takes what it is this session's turn to be told, and leaves to others what is theirs by now. */
  #offer(): void {
    const lost = this.#turns.lost(this.#ladder.ids)
    for (const id of lost) this.#ladder.settle(id)
    takeBack(this.#dir, lost)
    const open = [...this.#unread.keys()].filter(id => !this.#fetched.has(id) && !this.#ladder.has(id))
    const now = Date.now()
    const hasAskedFor = (id: string, dir: SessionDir) => hasAsked(dir, this.#unread.get(id)?.replyTo)
    for (const id of this.#turns.take(open, now, now + turnMs, hasAskedFor)) {
      const mail = this.#unread.get(id)!
      putNews(this.#dir, mail)
      this.#ladder.offer(mail, performance.now())
      // A burst is over when it has been quiet, and after its longest time.
      if (mayWake(mail)) for (const ms of [quietMs, burstMs]) setTimeout(() => void this.#lookOn(), ms + 1).unref()
    }
  }

  /** One step up the ladder, if it is time for one and the mail is still unread. */
  async #climb(): Promise<void> {
    if (this.#ladder.ids.length === 0) return
    if (performance.now() - this.#startedAt < graceMs && this.#reach.hasJustBegun) return
    this.#giveUp()
    if (!this.#ladder.next(performance.now(), this.#view())) return
    await this.#sync()
    this.#offer()
    this.#reach.look()
    const step = this.#ladder.next(performance.now(), this.#view())
    if (!step || this.#reach.isHidden) return
    const isTold = await this.#wake(step)
    this.#ladder.took(step, performance.now())
    this.#wokenAt = Date.now()
    this.#wokenBy = step.rung
    if (!isTold) this.#tellAgain(step.mail.map(({ id }) => id))
    for (const { id } of step.mail) this.#turns.extend(id, isTold ? this.#wokenAt + turnMs : Date.now())
  }

  /** Of what no rung is left for the hooks tell at the next prompt, unless it is another session's turn by then. */
  #giveUp(): void {
    // What came before an open prompt waits there.
    if (this.#reach.activity === 'waiting') return
    const spent = this.#ladder.spent(performance.now(), this.#view())
    this.#tellAgain(spent)
    for (const id of spent) this.#turns.extend(id, Date.now())
  }

  #view(): View {
    const { rungs } = this.#reach
    if (this.#wokenBy !== 'hooks') return { rungs, isHeard: this.#reach.hasStirred(this.#wokenAt) }
    const isTold = !this.#ladder.lastStep.some(id => hasNews(this.#dir, id))
    return { rungs, isHeard: isTold || undefined }
  }

  /** Has the hooks tell what a wake has told in vain, once. */
  #tellAgain(ids: readonly string[]): void {
    const inVain = ids.filter(id => !this.#fetched.has(id) && this.#toldByWake.delete(id))
    if (inVain.length > 0) putBack(this.#dir, new Set(inVain))
  }

  async #wake({ rung, mail }: WakeStep): Promise<boolean> {
    const ids = new Set(mail.map(({ id }) => id))
    if (rung === 'hooks') {
      // The user came before the wake was heard.
      this.#tellAgain([...ids])
      return true
    }
    for (const { id } of takeNews(this.#dir, { wanted: news => ids.has(news.id) })) this.#toldByWake.add(id)
    return this.#reach.wake({ rung, mail }, this.#options.client().now())
  }

  #note(change: Partial<SessionFile>): void {
    const file = this.#dir.read<SessionFile>('session.json')
    if (!file || !isOwn(file) || this.#end.signal.aborted) return
    const isKnown = Object.entries(change).every(([name, value]) => file[name as keyof SessionFile] === value)
    if (!isKnown) this.#dir.write('session.json', { ...file, ...change })
  }
}

/** Whether a directory belongs to no process any more. Hooks may come before the server: a young one is left alone. */
function isAbandoned(dir: SessionDir): boolean {
  const file = dir.read<SessionFile>('session.json')
  if (file) return !isKept(dir, file)
  const state = dir.read<{ at: number }>('state.json')
  return state !== undefined && Date.now() - state.at > 24 * 3600_000
}
