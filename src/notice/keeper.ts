import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import { api } from '../protocol/api.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { version } from '../protocol/version.ts'
import { hasAsked, noteAsked } from './asked.ts'
import { inboxSocket, writeToInbox } from './inbox-socket.ts'
import { Ladder, rungMs, type WakeStep } from './ladder.ts'
import { liveSessions, type Rung, type SessionFile } from './live-sessions.ts'
import { dropNews, type Fate, keepOnly, type Mail, markKnown, putBack, putNews, takeNews } from './news.ts'
import { wakeText } from './notice-text.ts'
import { headlessTakesPart, instanceOf, isAlive, isHeadless, SessionDir, sessionDirs } from './session-dir.ts'
import { readState } from './session-state.ts'
import { Turns } from './turns.ts'
import { hasWaiter, orderWake } from './waiter.ts'

/** How often is looked whether somebody's time is over, in ms. */
const lookMs = 1000

/** How long events are gathered before the inbox is read, in ms. */
const gatherMs = 100

/** Most pages of 100 that are read to know what is unread. Beyond, the inbox itself says how much there is. */
const maxPages = 10

/** Most characters of a text that are fetched for a notice. */
const previewCharacters = 200

/** A session that has just begun is left to its user for so long, in ms: the first prompt tells what waits. */
const graceMs = 10_000

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
  #syncing: Promise<void> | undefined
  #mustSync = false
  #isLooking = false
  #wokenAt = 0
  /** What went wrong at the last look. */
  #trouble = ''

  constructor(options: KeeperOptions) {
    const { key, env, home, session } = options
    this.#options = options
    this.#isDeaf = key === undefined || (isHeadless(env) && !headlessTakesPart(home))
    this.#dir = new SessionDir(key && !this.#isDeaf ? key : `deaf-${session}`, home)
    this.#instance = instanceOf(env)
    this.#turns = new Turns(session, home)
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
    if (this.#isLooking || this.#end.signal.aborted) return
    this.#isLooking = true
    try {
      this.#isKeeping ||= this.#takeDirectory()
      if (!this.#isKeeping || this.#isDeaf) return
      if (this.#mustSync) await this.#sync()
      this.#offer()
      await this.#climb()
    } finally {
      this.#isLooking = false
    }
  }

  #takeDirectory(): boolean {
    if (!this.#hasJoined()) return false
    const before = this.#dir.read<SessionFile>('session.json')
    if (before && before.pid !== process.pid && isAlive(before.pid) && before.instance === this.#instance) return false
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
      ...(this.#instance && { instance: this.#instance }),
      startedAt,
      version,
      ...(this.#isDeaf && { deaf: true }),
    } satisfies SessionFile)
    if (!this.#isDeaf) void this.#follow()
    return true
  }

  #hasJoined(): boolean {
    try {
      return this.#options.client() !== undefined
    } catch {
      return false
    }
  }

  async #follow(): Promise<void> {
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
    const messages: InboxMessage[] = []
    let after: string | undefined
    try {
      for (let page = 0; page < maxPages; page++) {
        const answer = await this.#options
          .client()
          .call(api.readInbox, { query: { after, preview: previewCharacters } })
        messages.push(...answer.messages)
        this.#unreadCount = answer.unread
        after = answer.cursor
        if (answer.more === 0) break
      }
    } catch {
      // Out of reach. What is known stays told; the stream says when the hub is back.
      return
    }
    const others = new Set(
      liveSessions(this.#options.home).flatMap(({ session }) => (session === this.#options.session ? [] : [session])),
    )
    const ours = messages.filter(({ held, muted }) => !held && !muted)
    const taken = ours.filter(({ fetchedBy }) => fetchedBy && others.has(fetchedBy.session)).map(({ id }) => id)
    for (const { id, fetchedBy } of ours) if (fetchedBy?.session === this.#options.session) this.#fetched.add(id)
    this.#unread = new Map(
      ours.filter(({ id }) => !taken.includes(id)).map(message => [message.id, this.#toMail(message)]),
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

  /** Takes what it is this session's turn to be told. */
  #offer(): void {
    const open = [...this.#unread.keys()].filter(id => !this.#fetched.has(id) && !this.#ladder.has(id))
    const now = Date.now()
    const hasAskedFor = (id: string, dir: SessionDir) => hasAsked(dir, this.#unread.get(id)?.replyTo)
    for (const id of this.#turns.take(open, now, now + rungMs, hasAskedFor)) {
      const mail = this.#unread.get(id)!
      putNews(this.#dir, mail)
      this.#ladder.offer(mail, performance.now())
    }
  }

  /** One step up the ladder, if it is time for one and the mail is still unread. */
  async #climb(): Promise<void> {
    if (this.#ladder.ids.length === 0) return
    if (performance.now() - this.#startedAt < graceMs && this.#hasJustBegun()) return
    this.#tellAgain(this.#ladder.spent(performance.now(), this.#rungs()))
    if (!this.#ladder.next(performance.now(), this.#rungs())) return
    await this.#sync()
    this.#offer()
    const step = this.#ladder.next(performance.now(), this.#rungs())
    if (!step) return
    const isTold = await this.#wake(step)
    const until = Date.now() + rungMs
    this.#ladder.took(step, performance.now())
    this.#wokenAt = Date.now()
    if (!isTold) this.#tellAgain(step.mail.map(({ id }) => id))
    for (const { id } of step.mail) this.#turns.extend(id, isTold ? until : Date.now())
  }

  /** Has the hooks tell what a wake has told in vain, once. */
  #tellAgain(ids: readonly string[]): void {
    const inVain = ids.filter(id => !this.#fetched.has(id) && this.#toldByWake.delete(id))
    if (inVain.length > 0) putBack(this.#dir, new Set(inVain))
  }

  #hasJustBegun(): boolean {
    const state = readState(this.#dir, this.#instance)
    return state !== undefined && state.mode === undefined
  }

  /** The rungs that can be used now, in their order. */
  #rungs(): Rung[] {
    const { env } = this.#options
    if (isHeadless(env)) return ['hooks']
    const state = readState(this.#dir, this.#instance)
    const rungs: Rung[] = []
    // Busy, as far as is known: a turn that the user broke off ends without a hook.
    if (state?.busy) rungs.push('hooks')
    // A session that bypasses permissions holds what comes through its socket, and drops it.
    if (inboxSocket(env) && state?.mode !== 'bypassPermissions') rungs.push('socket')
    if (hasWaiter(this.#dir)) rungs.push('rewake')
    rungs.push('channel')
    return rungs
  }

  async #wake({ rung, mail }: WakeStep): Promise<boolean> {
    const ids = new Set(mail.map(({ id }) => id))
    if (rung === 'hooks') {
      // The user came before the wake was heard.
      this.#tellAgain([...ids])
      return true
    }
    for (const { id } of takeNews(this.#dir, { wanted: news => ids.has(news.id) })) this.#toldByWake.add(id)
    const { client, env, pushChannel } = this.#options
    const text = wakeText(mail, client().now())
    if (rung === 'socket') return writeToInbox(inboxSocket(env)!, text)
    if (rung === 'rewake') orderWake(this.#dir, { text })
    else await pushChannel(text, { from: mail.at(-1)!.from, intent: mail.at(-1)!.intent })
    return true
  }

  #toMail({ id, seq, from, fromKind, intent, sentAt, replyTo, body }: InboxMessage): Mail {
    const beginning = body.trimStart().split('\n')[0] ?? ''
    return {
      kind: 'mail',
      id,
      seq,
      from,
      fromKind,
      intent,
      sentAt: Date.parse(sentAt),
      ...(replyTo && { replyTo }),
      ...(hasAsked(this.#dir, replyTo) && { isAwaited: true }),
      beginning,
    }
  }

  #note(change: Partial<SessionFile>): void {
    const file = this.#dir.read<SessionFile>('session.json')
    if (file?.pid === process.pid) this.#dir.write('session.json', { ...file, ...change })
  }
}

/** Whether a directory belongs to no process any more. Hooks may come before the server: a young one is left alone. */
function isAbandoned(dir: SessionDir): boolean {
  const file = dir.read<SessionFile>('session.json')
  if (file) return !isAlive(file.pid)
  const state = dir.read<{ at: number }>('state.json')
  return state !== undefined && Date.now() - state.at > 24 * 3600_000
}
