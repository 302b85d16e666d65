import type { HubClient } from '../client/hub-client.ts'
import type { Scope } from '../client/project/scope.ts'
import type { StreamEvent } from '../protocol/events.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import type { Gathering } from './gathering.ts'
import { type LiveSession, liveSessions, reads } from './live-sessions.ts'
import type { Fate, Mail } from './news.ts'
import { hasAsked } from './own-questions.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import type { SessionDir } from './session-dir.ts'
import { readUnread, toMail } from './unread.ts'

/**
 * Shortest time between two updates, in ms. The first event is processed at once; those of a burst are processed together.
 */
const updatePauseMs = 100

export interface UnreadMirrorOptions {
  dir: SessionDir
  home: string
  /** Id of the session at the hub. */
  session: string
  /** Returns the client of the hub; throws while this machine has not joined. */
  client: () => HubClient
  /** Scope of the messages that the session reads; throws as `client` does. */
  scope: () => Scope
  /** Returns the sessions whose conversation continues in this one. */
  predecessors: () => LiveSession[]
  gathering: Gathering
  /** Called when `update` may find something new. */
  onDue: () => void
  runtime?: Runtime
}

/**
 * A copy of the unread messages of this machine, and the part of them that one session is to be notified of. Events of the stream keep it
 * up to date while they contain the whole change; otherwise the inbox is read again.
 */
export class UnreadMirror {
  readonly #options: Required<UnreadMirrorOptions>
  /** Messages for this session: not held, not muted, not fetched by another session. */
  readonly #mail = new Map<string, Mail>()
  /** Every unread message of the machine. */
  #allIds: ReadonlySet<string> = new Set()
  /** Number of unread messages of the machine, as of the last update. */
  #count = 0
  /** Messages that this session has fetched; they may still be unread. */
  readonly #fetched = new Set<string>()
  /** Outcomes of messages that this session sent, not announced yet. */
  readonly #fates: Fate[] = []
  #readAt = Number.NEGATIVE_INFINITY
  #isDue = false
  /** Messages that arrived with their events since the last update; not used when `#mustRead`. */
  #arrived: InboxMessage[] = []
  /** The events do not contain the whole change: the inbox must be read. */
  #mustRead = true
  /** The stream is broken: events are missed. */
  #isStreamLost = false

  constructor(options: UnreadMirrorOptions) {
    this.#options = { runtime: systemRuntime, ...options }
  }

  /** Whether something may have changed since the last update. */
  get isDue(): boolean {
    return this.#isDue
  }

  /** The ids of the messages that this session may be notified of. */
  get ids(): ReadonlySet<string> {
    return new Set(this.#mail.keys())
  }

  /** The ids of all unread messages of this machine, regardless of which session they are for. */
  get allIds(): ReadonlySet<string> {
    return this.#allIds
  }

  get(id: string): Mail | undefined {
    return this.#mail.get(id)
  }

  /** Reports whether this session has fetched the message. */
  hasFetched(id: string): boolean {
    return this.#fetched.has(id)
  }

  noteFetched(id: string): void {
    this.#fetched.add(id)
  }

  /**
   * Schedules a read of the inbox. Does nothing if the hub's number of `unread` messages is unchanged, unless the stream is broken: then
   * they may be different messages.
   */
  markDue(unread?: number): void {
    if (unread === this.#count + this.#arrived.length && !this.#isStreamLost) return
    this.#mustRead = true
    this.#schedule()
  }

  onStreamOpen(): void {
    this.#isStreamLost = false
    this.markDue()
  }

  onStreamLost(): void {
    this.#isStreamLost = true
  }

  /** Processes an event of the machine's stream. */
  onEvent({ event, data }: StreamEvent): void {
    if (event === 'inbox') this.#onMessage(data)
    // An expiry that the hub reports with a message is announced as that message.
    if (event === 'receipt' && hasAsked(this.#options.dir, data.id) && data.status !== 'fetched' && !data.noticed) {
      const { id, seq, recipient, status } = data
      this.#fates.push({ kind: 'fate', id: `${id}-${recipient}`, message: id, seq, recipient, status })
      this.#schedule()
    }
  }

  /** Takes a message from its event if that is the whole change. */
  #onMessage({ delivery, unread }: Extract<StreamEvent, { event: 'inbox' }>['data']): void {
    if (!delivery || this.#mustRead || unread !== this.#count + this.#arrived.length + 1) {
      this.markDue()
      return
    }
    this.#arrived.push(delivery)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isDue) return
    this.#isDue = true
    const { runtime, onDue } = this.#options
    runtime.after(Math.max(0, updatePauseMs - (runtime.monotonic() - this.#readAt)), onDue)
  }

  /** Adds the messages that arrived with events, or reads the inbox if they are not the whole change. Returns as `read` does. */
  async update(): Promise<boolean> {
    if (this.#mustRead) return this.read()
    this.#isDue = false
    const arrived = this.#arrived.splice(0)
    this.#count += arrived.length
    this.#allIds = new Set([...this.#allIds, ...arrived.map(({ id }) => id)])
    this.#add(arrived)
    return true
  }

  /** Reads the unread messages from the hub. Returns false if the hub cannot be reached; the copy then stays as it was. */
  async read(): Promise<boolean> {
    this.#isDue = false
    this.#readAt = this.#options.runtime.monotonic()
    this.#arrived = []
    this.#mustRead = false
    let inbox: Awaited<ReturnType<typeof readUnread>>
    try {
      inbox = await readUnread(this.#options.client(), this.#options.scope())
    } catch {
      this.#mustRead = true
      return false // `onStreamOpen` schedules the next read.
    }
    // Messages that arrived during the read may be missing from its result.
    if (this.#arrived.length > 0) this.markDue()
    this.#count = inbox.unread
    this.#allIds = new Set(inbox.messages.map(({ id }) => id))
    this.#mail.clear()
    this.#add(inbox.messages)
    return true
  }

  /** Adds those of `messages` that this session may be notified of. */
  #add(messages: readonly InboxMessage[]): void {
    const { session, home, dir, scope, predecessors, gathering, runtime } = this.#options
    const own = new Set([session, ...predecessors().map(({ session }) => session)])
    const others = new Set(liveSessions(home, runtime).flatMap(({ session }) => (own.has(session) ? [] : [session])))
    for (const message of messages) {
      const { id, held, muted, fetchedBy, replyTo, project } = message
      // The stream of an older hub, or one that was opened without a project, contains messages for other projects too.
      if (held || muted || !reads({ project: scope() }, project)) continue
      if (fetchedBy && own.has(fetchedBy.session)) this.#fetched.add(id)
      if (fetchedBy && others.has(fetchedBy.session)) continue
      const [isAwaited, isGathered] = [hasAsked(dir, replyTo), gathering.has(replyTo)]
      if (isGathered) gathering.onAnswer(replyTo!, message.intent === 'urgent')
      this.#mail.set(id, toMail(message, { isAwaited, isGathered }))
    }
  }

  /** Marks the answers to `question` as no longer waiting for others. Returns them as they are announced from now on. */
  release(question: string): Mail[] {
    const released = [...this.#mail.values()].filter(({ replyTo }) => replyTo === question)
    return released.map(({ isGathered: _, ...mail }) => {
      this.#mail.set(mail.id, mail)
      return mail
    })
  }

  /**
   * Removes and returns the outcomes to announce. Those of an answered message are left out: the answer shows that it was read. Returns none
   * while messages are known to have arrived that are not in the copy yet: one may be that answer.
   */
  takeFates(): Fate[] {
    if (this.#mustRead || this.#arrived.length > 0) return []
    const answered = new Set([...this.#mail.values()].map(({ replyTo }) => replyTo))
    return this.#fates.splice(0).filter(({ message }) => !answered.has(message))
  }
}
