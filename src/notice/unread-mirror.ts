import { setTimeout as delay } from 'node:timers/promises'
import { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import type { Scope } from '../client/project/scope.ts'
import type { StreamEvent } from '../protocol/events.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { hasAsked } from './asked.ts'
import type { Gathering } from './gathering.ts'
import { type LiveSession, liveSessions, reads } from './live-sessions.ts'
import type { Fate, Mail } from './news.ts'
import type { SessionDir } from './session-dir.ts'
import { readUnread, toMail } from './unread.ts'

/**
 * How long after one reading of the inbox the next begins at the earliest, in ms. The first event is read at once; those of a burst
 * are read together.
 */
const gatherMs = 100

/** How long a hub that refuses the stream is left alone, in ms. */
const refusedMs = 30_000

export interface UnreadMirrorOptions {
  dir: SessionDir
  home: string
  /** The session as the hub knows it. */
  session: string
  /** Speaks with the hub; throws while this machine has not joined. */
  client: () => HubClient
  /** Whose mail the session reads; throws as `client` does. */
  scope: () => Scope
  /** The sessions whose conversation went on in this one. */
  predecessors: () => LiveSession[]
  gathering: Gathering
  /** Called when `read` may find something new. */
  onDue: () => void
}

/** What is unread in this machine's inbox, as the hub said last, and what of it one session is to be told. */
export class UnreadMirror {
  readonly #options: UnreadMirrorOptions
  /** What may be told to this session: not held, not muted, not given to another session. */
  readonly #mail = new Map<string, Mail>()
  /** Every unread message of the machine. */
  #allIds: ReadonlySet<string> = new Set()
  #count = 0
  /** What this session was given, and is unread perhaps. */
  readonly #fetched = new Set<string>()
  /** What became of messages that this session sent, not told yet. */
  readonly #fates: Fate[] = []
  #readAt = Number.NEGATIVE_INFINITY
  #isDue = false
  /** Mail that has come since, with its events; void where `#mustRead`. */
  #arrived: InboxMessage[] = []
  /** Something else may have changed: only the hub knows what is unread. */
  #mustRead = true
  #following: Promise<void> | undefined
  /** The stream is broken: its events are missing. */
  #isAway = false

  constructor(options: UnreadMirrorOptions) {
    this.#options = options
  }

  /** Something may have changed since the last `read`. */
  get isDue(): boolean {
    return this.#isDue
  }

  /** The ids of the mail that this session may be told of. */
  get ids(): ReadonlySet<string> {
    return new Set(this.#mail.keys())
  }

  /** The ids of all that is unread on this machine, whomever it is for. */
  get allIds(): ReadonlySet<string> {
    return this.#allIds
  }

  get(id: string): Mail | undefined {
    return this.#mail.get(id)
  }

  /** Whether this session was given the message. */
  hasFetched(id: string): boolean {
    return this.#fetched.has(id)
  }

  noteFetched(id: string): void {
    this.#fetched.add(id)
  }

  /**
   * The inbox is to be read soon; not where the hub counts as many `unread` as before, unless the stream is broken: as many may be
   * others then.
   */
  markDue(unread?: number): void {
    if (unread === this.#count + this.#arrived.length && !this.#isAway) return
    this.#mustRead = true
    this.#setDue()
  }

  /** Takes a message that has come with its event, where it is all that has changed. */
  #arrive({ delivery, unread }: Extract<StreamEvent, { event: 'inbox' }>['data']): void {
    if (!delivery || this.#mustRead || unread !== this.#count + this.#arrived.length + 1) {
      this.markDue()
      return
    }
    this.#arrived.push(delivery)
    this.#setDue()
  }

  #setDue(): void {
    if (this.#isDue) return
    this.#isDue = true
    const sinceMs = performance.now() - this.#readAt
    setTimeout(this.#options.onDue, Math.max(0, gatherMs - sinceMs))
  }

  /** Brings this to what is unread: by what has come with events, or, where that is not all, as `read` does. */
  async update(): Promise<boolean> {
    if (this.#mustRead) return this.read()
    this.#isDue = false
    const arrived = this.#arrived.splice(0)
    this.#count += arrived.length
    this.#allIds = new Set([...this.#allIds, ...arrived.map(({ id }) => id)])
    this.#keep(arrived)
    return true
  }

  /** Asks the hub what is unread. Returns false where it does not answer; what was known then stays. */
  async read(): Promise<boolean> {
    this.#isDue = false
    this.#readAt = performance.now()
    this.#arrived = []
    this.#mustRead = false
    let answer: Awaited<ReturnType<typeof readUnread>>
    try {
      answer = await readUnread(this.#options.client(), this.#options.scope())
    } catch {
      this.#mustRead = true
      return false // The stream says when the hub is back.
    }
    // Of what has come meanwhile nobody knows whether the answer has it.
    if (this.#arrived.length > 0) this.markDue()
    this.#count = answer.unread
    this.#allIds = new Set(answer.messages.map(({ id }) => id))
    this.#mail.clear()
    this.#keep(answer.messages)
    return true
  }

  /** Keeps of these what may be told to this session. */
  #keep(messages: readonly InboxMessage[]): void {
    const { session, home, dir, scope, predecessors, gathering } = this.#options
    const own = new Set([session, ...predecessors().map(({ session }) => session)])
    const others = new Set(liveSessions(home).flatMap(({ session }) => (own.has(session) ? [] : [session])))
    for (const message of messages) {
      const { id, held, muted, fetchedBy, replyTo, project } = message
      // A stream of an older hub, or one that was not asked for this project alone, brings others' mail too.
      if (held || muted || !reads({ project: scope() }, project)) continue
      if (fetchedBy && own.has(fetchedBy.session)) this.#fetched.add(id)
      if (fetchedBy && others.has(fetchedBy.session)) continue
      const [isAwaited, isGathered] = [hasAsked(dir, replyTo), gathering.has(replyTo)]
      if (isGathered) gathering.answered(replyTo!, message.intent === 'urgent')
      this.#mail.set(id, toMail(message, { isAwaited, isGathered }))
    }
  }

  /** The answers to `question` wait for no others any more. Returns them as they are told from now on. */
  release(question: string): Mail[] {
    const released = [...this.#mail.values()].filter(({ replyTo }) => replyTo === question)
    return released.map(({ isGathered: _, ...mail }) => {
      this.#mail.set(mail.id, mail)
      return mail
    })
  }

  /** Takes what became of messages that this session sent. An answer tells by itself that its question was read. */
  takeFates(): Fate[] {
    const answered = new Set([...this.#mail.values()].map(({ replyTo }) => replyTo))
    return this.#fates.splice(0).filter(({ message }) => !answered.has(message))
  }

  /** Follows the hub until `signal` aborts. Does nothing where it follows already. */
  follow(signal: AbortSignal): void {
    this.#following ??= this.#followOn(signal)
  }

  async #followOn(signal: AbortSignal): Promise<void> {
    const { client, scope, dir, gathering } = this.#options
    const onOpen = () => {
      this.#isAway = false
      gathering.hurryAll()
      this.markDue()
    }
    const onAway = () => (this.#isAway = true)
    while (!signal.aborted) {
      try {
        const options = { withDelivery: true, project: scope(), signal, onOpen, onAway }
        for await (const news of followEvents(client(), options)) {
          const { event, data } = news
          gathering.heard(news)
          if (event === 'inbox') this.#arrive(data)
          // What the hub tells in a message is told as that.
          if (event === 'receipt' && hasAsked(dir, data.id) && data.status !== 'fetched' && !data.noticed) {
            const { id, seq, recipient, status } = data
            this.#fates.push({ kind: 'fate', id: `${id}-${recipient}`, message: id, seq, recipient, status })
            this.#setDue()
          }
        }
      } catch {
        // Not joined, or refused for now: every tool call says so.
        await delay(refusedMs, undefined, { signal }).catch(() => {})
      }
    }
  }
}
