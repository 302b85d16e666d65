import { setTimeout as delay } from 'node:timers/promises'
import type { Bot } from '../bot.ts'
import { failureOf, type TelegramFailure } from '../failure.ts'
import type { OutgoingPost } from '../outgoing-post.ts'
import { Pace } from './pace.ts'

export interface CourierOptions {
  bot: Bot
  /** Returns the current id of the chat; undefined while it is not known. */
  chat: () => number | undefined
  /** Returns the next urgent message. Called again until that is accepted or refused. */
  urgent: () => OutgoingPost | undefined
  /** The same for all other messages except answers. */
  next: () => OutgoingPost | undefined
  limits: ChatLimits
  windowMs: number
  /** Times of messages sent to the chat before this start, by `performance.now()`. */
  earlier?: number[]
  /** First wait after a failure, in ms; it doubles up to a hundred times that. */
  retryMs: number
  /** Interval at which `next` is called without a wake, in ms: some messages wait for a time of day. */
  idleMs: number
  /** Called when Telegram has accepted a message in this chat. */
  onSent: () => void
  /** Called with every failure, before the courier handles it. The courier waits until it resolves. */
  onFailure: (failure: TelegramFailure, chat: number) => Promise<void>
}

/**
 * Most messages per window after which a message of each kind still goes out: the highest is for urgent ones, which so always find room.
 */
export interface ChatLimits {
  urgent: number
  messages: number
  answer: number
  /** Most answers per window, whatever else is sent. */
  answersAlone: number
}

type Kind = 'urgent' | 'answer' | 'messages'

/** Most answers that wait; newer ones are dropped. Only an unreachable chat has that many. */
const maxAnswers = 50

/**
 * Sends the messages for one chat, one after the other within its rate limit: urgent ones first, then answers and others in turn. After a
 * failure that leaves open whether Telegram has a message, waits until Telegram responds and sends it again, unchanged: people recognize a
 * repeat by its number.
 */
export class Courier {
  readonly #options: CourierOptions
  readonly #answers: OutgoingPost[] = []
  readonly #plain = new WeakSet<OutgoingPost>()
  readonly #loose = new WeakSet<OutgoingPost>()
  readonly #pace: Pace
  readonly #answersPace: Pace
  #again: OutgoingPost | undefined
  #last: Kind = 'messages'
  #notBefore = 0
  #failures = 0
  #wake = Promise.withResolvers<void>()
  #nudge = Promise.withResolvers<void>()

  constructor(options: CourierOptions) {
    this.#options = options
    this.#pace = new Pace(options.windowMs, options.earlier)
    this.#answersPace = new Pace(options.windowMs)
  }

  /** Signals that there may be a new message. */
  wake(): void {
    this.#wake.resolve()
  }

  /** Ends the wait after a failure: Telegram responds again. */
  nudge(): void {
    this.#nudge.resolve()
  }

  /** Queues an answer, which is lost when the hub ends. With `isOnce` drops it while an answer with the same text waits. */
  answer(outgoing: OutgoingPost, isOnce = false): void {
    if (this.#answers.length >= maxAnswers) return
    const words = outgoing.post.text.source
    if (isOnce && this.#answers.some(({ post }) => post.text.source === words)) return
    this.#answers.push(outgoing)
    this.wake()
  }

  /** Runs until `stop`; a request in flight then may finish until `cut`. */
  async run(stop: AbortSignal, cut: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.#wake = Promise.withResolvers()
      const chat = this.#options.chat()
      const choice = chat === undefined ? undefined : this.#choose()
      if (!choice || chat === undefined) {
        await this.#pause(this.#options.idleMs, stop, this.#wake.promise)
        continue
      }
      const { outgoing, kind, waitMs } = choice
      if (waitMs > 0) await this.#pause(Math.min(waitMs, this.#options.idleMs), stop, this.#wake.promise)
      else await this.#send(outgoing, kind, chat, stop, cut)
    }
  }

  /** Returns the next message and the time that it still has to wait; undefined when there is none. */
  #choose(): { outgoing: OutgoingPost; kind: Kind; waitMs: number } | undefined {
    const [answer] = this.#answers
    if (this.#again) return this.#waiting(this.#again, this.#again === answer ? 'answer' : 'urgent')
    const urgent = this.#options.urgent()
    if (urgent) return this.#waiting(urgent, 'urgent')
    const message = this.#options.next()
    const answered = answer && this.#waiting(answer, 'answer')
    const carried = message && this.#waiting(message, 'messages')
    if (!answered || !carried) return answered ?? carried
    const [first, second] = this.#last === 'answer' ? [carried, answered] : [answered, carried]
    return second.waitMs < first.waitMs ? second : first
  }

  #waiting(outgoing: OutgoingPost, kind: Kind): { outgoing: OutgoingPost; kind: Kind; waitMs: number } {
    const { limits } = this.#options
    const now = performance.now()
    const alone = kind === 'answer' ? this.#answersPace.waitMs(now, limits.answersAlone) : 0
    return { outgoing, kind, waitMs: Math.max(this.#notBefore - now, alone, this.#pace.waitMs(now, limits[kind])) }
  }

  async #send(outgoing: OutgoingPost, kind: Kind, chat: number, stop: AbortSignal, cut: AbortSignal): Promise<void> {
    const { bot, onFailure } = this.#options
    this.#last = kind
    this.#pace.count(performance.now())
    if (kind === 'answer') this.#answersPace.count(performance.now())
    let message: number
    try {
      message = await bot.send(chat, outgoing.post, cut, {
        isPlain: this.#plain.has(outgoing),
        isLoose: this.#loose.has(outgoing),
      })
    } catch (error) {
      if (cut.aborted) return
      const failure = failureOf(error, 'send')
      await onFailure(failure, chat)
      await this.#failed(outgoing, failure, stop)
      return
    }
    this.#options.onSent()
    try {
      await outgoing.accepted?.(chat, message)
    } catch (error) {
      // It will be sent again, but not at once.
      await this.#backOff(stop)
      throw error
    }
    this.#failures = 0
    this.#settle(outgoing)
  }

  async #failed(outgoing: OutgoingPost, failure: TelegramFailure, stop: AbortSignal): Promise<void> {
    const { retryMs } = this.#options
    switch (failure.kind) {
      case 'wait':
        this.#notBefore = performance.now() + failure.retryAfterMs + Math.random() * Math.min(1000, retryMs)
        return
      case 'moved':
        return
      case 'malformed':
      case 'refused':
        if (failure.kind === 'malformed' && !this.#plain.has(outgoing)) {
          this.#plain.add(outgoing)
          this.#again = outgoing
          return
        }
        await outgoing.refused?.(failure.message)
        this.#settle(outgoing)
        return
      case 'topic':
        if (!this.#loose.has(outgoing)) {
          this.#loose.add(outgoing)
          this.#again = outgoing
          return
        }
        await this.#shut(stop)
        return
      case 'closed':
        await this.#shut(stop)
        return
      default:
        if (failure.mayHaveArrived) this.#again = outgoing
        await this.#backOff(stop)
        if (failure.mayHaveArrived) await this.#proveLine(stop)
    }
  }

  /** Backs off for long: the chat accepts nothing. */
  async #shut(stop: AbortSignal): Promise<void> {
    // Answers are out of date by the time that the chat is open again.
    this.#answers.length = 0
    this.#again = undefined
    await this.#backOff(stop, this.#options.retryMs * 100)
  }

  /** Waits until Telegram responds, so that a retry is not lost in the same outage. */
  async #proveLine(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        await this.#options.bot.me(stop)
        return
      } catch {
        await this.#backOff(stop)
      }
    }
  }

  async #backOff(stop: AbortSignal, ms = this.#nextWaitMs()): Promise<void> {
    this.#nudge = Promise.withResolvers()
    await this.#pause(ms, stop, this.#nudge.promise)
  }

  #nextWaitMs(): number {
    const { retryMs } = this.#options
    return retryMs * Math.min(100, 2 ** this.#failures++) * (1 + Math.random() / 5)
  }

  #settle(outgoing: OutgoingPost): void {
    if (this.#again === outgoing) this.#again = undefined
    if (this.#answers[0] === outgoing) this.#answers.shift()
  }

  async #pause(ms: number, stop: AbortSignal, woken: Promise<void>): Promise<void> {
    const end = new AbortController()
    const signal = AbortSignal.any([stop, end.signal])
    await Promise.race([delay(Math.min(ms, 2 ** 31 - 1), undefined, { signal }).catch(() => {}), woken])
    end.abort()
  }
}
