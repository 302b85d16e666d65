import type { TelegramSettings } from '../../config/telegram.ts'
import type { Hub } from '../../hub.ts'
import { sentSince } from '../../state/query/telegram.ts'
import type { Bot } from '../bot.ts'
import type { BridgeStatus } from '../bridge-status.ts'
import { chatOf, type Destination, nameIn } from '../destinations.ts'
import type { TelegramFailure } from '../failure.ts'
import { html } from '../html.ts'
import type { People } from '../people.ts'
import { type ChatLimits, Courier } from './courier.ts'
import { InboxQueue } from './inbox-queue.ts'
import { OwnerNotices } from './owner-notices.ts'

/** A group takes 20 messages in a window (see `timing.windowMs`), a private chat about one a second and short bursts. */
const groupLimits: ChatLimits = { urgent: 20, answer: 19, messages: 17, answersAlone: 10 }
const privateLimits: ChatLimits = { urgent: 4, answer: 3, messages: 1, answersAlone: 3 }
const privateWindowMs = 1_000

/** Time for which the status shows that a topic refused a message, in ms. */
const topicTroubleMs = 3600 * 1000

export interface CouriersOptions {
  hub: Hub
  settings: TelegramSettings
  people: People
  bot: Bot
  status: BridgeStatus
  submit: Hub['submit']
  /** Called when Telegram reports that a chat has a new id. */
  onMoved: (from: number, to: number) => Promise<void>
  onFailure: (failure: TelegramFailure) => void
}

/** The couriers of a session: one for the group, and one for the private chat of each person. */
export class Couriers {
  readonly #options: CouriersOptions
  readonly #couriers: Map<Destination, Courier>

  constructor(options: CouriersOptions) {
    this.#options = options
    const destinations: Destination[] = ['group', ...options.people.all.map(({ member }) => member)]
    this.#couriers = new Map(destinations.map(destination => [destination, this.#courier(destination)]))
  }

  get all(): [Destination, Courier][] {
    return [...this.#couriers]
  }

  /** Returns the courier of `destination`; undefined for a member who is not one of the people. */
  of(destination: Destination): Courier | undefined {
    return this.#couriers.get(destination)
  }

  /** Returns the courier of the chat with this id. */
  at(chat: number): Courier | undefined {
    const { people } = this.#options
    const destination = chat === people.group ? 'group' : people.byUser(chat)?.member
    return destination === undefined ? undefined : this.of(destination)
  }

  #courier(destination: Destination): Courier {
    const { hub, settings, people, bot, status, submit, onMoved, onFailure } = this.#options
    const { windowMs, retryMs, lookMs } = settings.timing
    const shared = { hub, people, settings, destination, submit }
    const inboxes = new InboxQueue(shared)
    const notices = new OwnerNotices(shared)
    return new Courier({
      bot,
      chat: () => chatOf(people, destination),
      urgent: () => {
        const chat = chatOf(people, destination)
        return chat === undefined ? undefined : inboxes.urgent(chat)
      },
      next: () => {
        const chat = chatOf(people, destination)
        return chat === undefined ? undefined : (inboxes.next(chat) ?? notices.next())
      },
      ...(destination === 'group'
        ? { limits: groupLimits, windowMs, earlier: this.#earlier(windowMs) }
        : { limits: privateLimits, windowMs: Math.min(privateWindowMs, windowMs) }),
      retryMs,
      idleMs: lookMs,
      onSent: () => {
        status.well('send')
        status.well(`chat ${destination}`)
      },
      onFailure: async (failure, chat) => {
        if (failure.kind === 'moved' && failure.movedTo !== undefined) await onMoved(chat, failure.movedTo)
        if (failure.kind === 'closed') this.#closed(destination, failure)
        if (failure.kind === 'topic') {
          const text = `A topic of the group takes nothing; what belongs there is said in the general chat: ${failure.message}`
          status.trouble(`topic ${destination}`, text, topicTroubleMs)
        }
        if (failure.kind === 'unreachable') status.trouble('send', failure.message)
        onFailure(failure)
      },
    })
  }

  /** Times of the messages sent to the group before this start, by `performance.now()`: the limit also holds across a restart of the hub. */
  #earlier(windowMs: number): number[] {
    const { hub, people } = this.#options
    const now = Date.now()
    const times = sentSince(hub.state.db, people.group, now - windowMs)
    return times.filter(at => at <= now).map(at => performance.now() - (now - at))
  }

  #closed(destination: Destination, failure: TelegramFailure): void {
    const { status, people } = this.#options
    const person = destination === 'group' ? undefined : people.byMember(destination)
    const isNews = !status.troubles.some(trouble => trouble.includes(failure.message))
    status.trouble(
      `chat ${destination}`,
      `${person ? `${person.name} cannot be written to in private` : 'The group cannot be written to'}: ${failure.message}`,
    )
    if (!person || !isNews) return
    // Messages of a private chat never go to the group instead: they wait.
    const text = html`${nameIn(people, 'group', person)}: I may not write to you in private. Open a chat with me and press Start, or write /here in the group. Your messages wait.`
    this.of('group')?.answer({ post: { text } })
  }
}
