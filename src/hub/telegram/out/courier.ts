import { setTimeout as delay } from 'node:timers/promises'
import type { Bot } from '../bot.ts'
import { failureOf, type TelegramFailure } from '../failure.ts'
import type { OutgoingPost } from '../outgoing-post.ts'
import { Pace } from './pace.ts'

export interface CourierOptions {
  bot: Bot
  /** The chat's id now; undefined while it is not known. */
  chat: () => number | undefined
  /** What is urgent and to be said next: asked again and again, until that was accepted or refused. */
  urgent: () => OutgoingPost | undefined
  /** The same of all else that is no answer. */
  next: () => OutgoingPost | undefined
  limits: ChatLimits
  windowMs: number
  /** When messages went to the chat before this start, by the clock of `performance.now()`. */
  earlier?: number[]
  /** The first wait after a failure, in ms; it doubles up to a hundred times that. */
  retryMs: number
  /** How often `next` is asked when nobody wakes the courier, in ms: some mail waits for an hour of the day. */
  idleMs: number
  /** Telegram took something in this chat. */
  onSent: () => void
  /** Hears of every failure, before the courier does something about it. Resolves when that is dealt with. */
  onFailure: (failure: TelegramFailure, chat: number) => Promise<void>
}

/** How many messages of a window may be gone before the next of each kind waits: what is urgent finds room when nothing else does. */
export interface ChatLimits {
  urgent: number
  mail: number
  answer: number
  /** Most answers of a window, whatever else goes. */
  answersAlone: number
}

type Kind = 'urgent' | 'answer' | 'mail'

/** Most answers that wait; newer ones are left unsaid. Only a chat that cannot be reached has so many. */
const maxAnswers = 50

/**
 * Says in one chat what is to be said there, one thing after the other, as fast as the chat takes it: first what is urgent, then
 * answers and other mail in turn. What Telegram may or may not
 * have got is said again, as it was, once the line is proven: whoever reads it twice reads the same number.
 */
export class Courier {
  readonly #options: CourierOptions
  readonly #answers: OutgoingPost[] = []
  readonly #plain = new WeakSet<OutgoingPost>()
  readonly #loose = new WeakSet<OutgoingPost>()
  readonly #pace: Pace
  readonly #answersPace: Pace
  #again: OutgoingPost | undefined
  #last: Kind = 'mail'
  #notBefore = 0
  #failures = 0
  #wake = Promise.withResolvers<void>()
  #nudge = Promise.withResolvers<void>()

  constructor(options: CourierOptions) {
    this.#options = options
    this.#pace = new Pace(options.windowMs, options.earlier)
    this.#answersPace = new Pace(options.windowMs)
  }

  /** There may be something new to say. */
  wake(): void {
    this.#wake.resolve()
  }

  /** Telegram is there again: what waits after a failure need not wait any longer. */
  nudge(): void {
    this.#nudge.resolve()
  }

  /** Says something of the moment. It is forgotten when the hub ends; with `isOnce` also while the same words wait already. */
  answer(outgoing: OutgoingPost, isOnce = false): void {
    if (this.#answers.length >= maxAnswers) return
    const words = outgoing.post.text.source
    if (isOnce && this.#answers.some(({ post }) => post.text.source === words)) return
    this.#answers.push(outgoing)
    this.wake()
  }

  /** Runs until `stop`; a request that is under way then may go on until `cut`. */
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
      else await this.#say(outgoing, kind, chat, stop, cut)
    }
  }

  /** What to say next, and how long that has to wait; undefined when there is nothing. */
  #choose(): { outgoing: OutgoingPost; kind: Kind; waitMs: number } | undefined {
    const [answer] = this.#answers
    if (this.#again) return this.#waiting(this.#again, this.#again === answer ? 'answer' : 'urgent')
    const urgent = this.#options.urgent()
    if (urgent) return this.#waiting(urgent, 'urgent')
    const mail = this.#options.next()
    const answered = answer && this.#waiting(answer, 'answer')
    const carried = mail && this.#waiting(mail, 'mail')
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

  async #say(outgoing: OutgoingPost, kind: Kind, chat: number, stop: AbortSignal, cut: AbortSignal): Promise<void> {
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
      // It will be said again: not at once, whatever is wrong.
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

  /** The chat takes nothing now. */
  async #shut(stop: AbortSignal): Promise<void> {
    // What was an answer to somebody is pointless by the time that the chat is open again.
    this.#answers.length = 0
    this.#again = undefined
    await this.#backOff(stop, this.#options.retryMs * 100)
  }

  /** Waits until Telegram answers something: what was lost with a line should not be sent into the next hole. */
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
