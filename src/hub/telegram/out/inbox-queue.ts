import type { Hub } from '../../hub.ts'
import { messagesToSend, partsSent, urgentMessagesFor, type Waiting, writtenAs } from '../../state/query/telegram.ts'
import type { Carried } from '../../state/telegram-commands.ts'
import type { Post } from '../bot.ts'
import { type Destination, destinationOf, nameIn } from '../destinations.ts'
import type { OutgoingPost } from '../outgoing-post.ts'
import type { People } from '../people.ts'
import { isQuiet } from '../quiet.ts'
import { bundlePost, type ChatDelivery, digestPost, messagePost, partsOf } from './format.ts'

/** Number of waiting messages from which they are sent as a digest, and from which as a file. */
const digestFrom = 6
const bundleFrom = 101

/** Time after which two waiting messages are sent together too, in ms. */
const patienceMs = 10_000

/** Most messages read for one file. */
const maxBundle = 200

/** Most urgent messages of one sender that ignore a person's quiet hours or mute, per hour. */
const maxUrgent = 3
const hourMs = 3600 * 1000

export interface InboxQueueOptions {
  destination: Destination
  hub: Hub
  people: People
  /** Submits a command; retries while the disk is full. */
  submit: Hub['submit']
}

/** The unread messages of the people of one chat. The inboxes are the queue: a message that Telegram accepted is acked. */
export class InboxQueue {
  readonly #options: InboxQueueOptions
  /** Times of the urgent messages that ignored quiet hours, by person and sender, in ms since 1970. */
  readonly #urgent = new Map<string, number[]>()
  /** Last seq below which there is nothing urgent, by person. */
  readonly #looked = new Map<number, number>()
  /** Number of the oldest messages to send singly: Telegram refused a digest or file with them. */
  #alone = 0

  constructor(options: InboxQueueOptions) {
    this.#options = options
  }

  /** Returns the first urgent message, alone and before all others; undefined when none may go out. */
  urgent(chat: number): OutgoingPost | undefined {
    const now = Date.now()
    const { hub, people, destination } = this.#options
    const { seq } = hub.state.position
    const found: ChatDelivery[] = []
    for (const person of people.all) {
      if (destinationOf(people, person) !== destination) continue
      const after = this.#looked.get(person.member) ?? 0
      const which = { after, now, isQuiet: isQuiet(person.settings, now), limit: maxUrgent * 10 }
      const messages = urgentMessagesFor(hub.state.db, person.member, which)
      // A stored message never becomes urgent later: skip those that were searched.
      if (messages.length === 0) this.#looked.set(person.member, seq)
      const message = messages.find(message => !message.breaksQuiet || this.#mayBreak(message, now))
      if (message) found.push({ message, people: [nameIn(people, destination, person)], copies: [message] })
    }
    const seqs = found.map(({ message }) => message.seq)
    const same = found.filter(({ message }) => message.seq === Math.min(...seqs))
    const [first] = same
    if (!first) return undefined
    return this.#single(
      { ...first, people: same.flatMap(({ people }) => people), copies: same.flatMap(({ copies }) => copies) },
      chat,
    )
  }

  /** Returns the next Telegram message for `chat`, the destination's current chat; undefined when nothing may go out. */
  next(chat: number): OutgoingPost | undefined {
    const now = Date.now()
    const deliveries = this.#deliveries(now, bundleFrom)
    const [first] = deliveries
    if (!first) return undefined
    const isOld = deliveries.length > 1 && now - first.message.sentAt > patienceMs
    const hasBegun = (partsSent(this.#options.hub.state.db, chat, first.message.seq)?.part ?? 0) > 0
    if (this.#alone > 0 || hasBegun || (deliveries.length < digestFrom && !isOld)) return this.#single(first, chat)
    if (deliveries.length < bundleFrom) return this.#several(digestPost(deliveries))
    return this.#several(bundlePost(this.#deliveries(now, maxBundle)))
  }

  #deliveries(now: number, limit: number): ChatDelivery[] {
    const { hub, people, destination } = this.#options
    const bySeq = new Map<number, ChatDelivery>()
    for (const person of people.all) {
      if (destinationOf(people, person) !== destination) continue
      for (const message of messagesToSend(hub.state.db, person.member, now, isQuiet(person.settings, now), limit)) {
        if (message.breaksQuiet && !this.#mayBreak(message, now)) continue
        const delivery = bySeq.get(message.seq) ?? { message, people: [], copies: [] }
        delivery.people.push(nameIn(people, destination, person))
        delivery.copies.push(message)
        bySeq.set(message.seq, delivery)
      }
    }
    return [...bySeq.values()].sort((a, b) => a.message.seq - b.message.seq).slice(0, limit)
  }

  #single(delivery: ChatDelivery, chat: number): OutgoingPost {
    const { db } = this.#options.hub.state
    const parts = partsOf(delivery)
    const sent = partsSent(db, chat, delivery.message.seq)
    // Parts that another version cut elsewhere do not count.
    const part = sent && sent.parts === parts ? Math.min(sent.part + 1, parts) : 1
    const { replyTo } = delivery.message
    const post: Post = messagePost(delivery, part)
    const thread = replyTo === null ? undefined : writtenAs(db, chat, replyTo)
    return this.#outgoing(thread === undefined ? post : { ...post, replyTo: thread }, [delivery], part, parts)
  }

  #several({ post, deliveries }: { post: Post; deliveries: ChatDelivery[] }): OutgoingPost {
    return this.#outgoing(post, deliveries, 1, 1)
  }

  #outgoing(post: Post, deliveries: ChatDelivery[], part: number, parts: number): OutgoingPost {
    const { submit } = this.#options
    const waiting = deliveries.flatMap(({ copies }) => copies)
    return {
      post,
      accepted: async (chat, message) => {
        if (this.#alone > 0 && part === parts) this.#alone--
        const now = Date.now()
        for (const each of waiting) if (each.breaksQuiet) this.#breaks(each).push(now)
        await submit({ type: 'telegram.sent', chat, message, part, parts, to: carried(waiting) })
      },
      refused: async why => {
        if (deliveries.length > 1) this.#alone = deliveries.length
        else {
          if (this.#alone > 0) this.#alone--
          for (const { recipient, id } of waiting) {
            await submit({ type: 'telegram.failed', person: recipient, id, why: why.slice(0, 300) })
          }
        }
      },
    }
  }

  #mayBreak(message: Waiting, now: number): boolean {
    const times = this.#breaks(message)
    // A time in the future is from before the clock was set back.
    return times.filter(time => time <= now && now - time < hourMs).length < maxUrgent
  }

  #breaks({ recipient, sender }: Waiting): number[] {
    const key = `${recipient} ${sender}`
    const times = (this.#urgent.get(key) ?? []).slice(-maxUrgent)
    this.#urgent.set(key, times)
    return times
  }
}

function carried(waiting: Waiting[]): Carried[] {
  const byPerson = new Map<number, string[]>()
  for (const { recipient, id } of waiting) byPerson.set(recipient, [...(byPerson.get(recipient) ?? []), id])
  return [...byPerson].map(([person, ids]) => ({ person, ids }))
}
