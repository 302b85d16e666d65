import { setTimeout as delay } from 'node:timers/promises'
import type { Bot, Post } from './bot.ts'
import { failureOf, type TelegramFailure } from './failure.ts'
import type { Pace } from './pace.ts'

/** Something to be said in a chat, and what follows from how that went. */
export interface Errand {
  post: Post
  /** Telegram has it, as this message. Resolves once that is on disk. */
  accepted?: (chat: number, message: number) => Promise<void>
  /** Telegram will never take it. */
  refused?: (why: string) => Promise<void>
}

export interface CourierOptions {
  bot: Bot
  /** The chat's id now; undefined while it is not known. */
  chat: () => number | undefined
  /** What is to be said next: asked again and again, until that was accepted or refused. */
  next: () => Errand | undefined
  pace: Pace
  /** The first wait after a failure, in ms; it doubles up to a hundred times that. */
  retryMs: number
  /** How often `next` is asked when nobody wakes the courier, in ms: some mail waits for an hour of the day. */
  idleMs: number
  /** Telegram took something in this chat. */
  onSent: () => void
  /** Hears of every failure, before the courier does something about it. Resolves when that is dealt with. */
  onFailure: (failure: TelegramFailure, chat: number) => Promise<void>
}

/** Most answers that wait; newer ones are left unsaid. Only a chat that cannot be reached has so many. */
const maxAnswers = 50

/** Messages beyond the pace that answers may take: Telegram takes 20 a minute in a group, mail goes by 18. */
const answersExtra = 2

/**
 * Says in one chat what is to be said there, one thing after the other, as fast as the chat takes it. What Telegram may or may not
 * have got is said again, as it was, once the line is proven: whoever reads it twice reads the same number.
 */
export class Courier {
  readonly #options: CourierOptions
  readonly #answers: Errand[] = []
  readonly #plain = new WeakSet<Errand>()
  #again: Errand | undefined
  #notBefore = 0
  #failures = 0
  #wake = Promise.withResolvers<void>()
  #nudge = Promise.withResolvers<void>()

  constructor(options: CourierOptions) {
    this.#options = options
  }

  /** There may be something new to say. */
  wake(): void {
    this.#wake.resolve()
  }

  /** Telegram is there again: what waits after a failure need not wait any longer. */
  nudge(): void {
    this.#nudge.resolve()
  }

  /** Says something of the moment, before what waits. It is forgotten when the hub ends. */
  answer(errand: Errand): void {
    if (this.#answers.length >= maxAnswers) return
    this.#answers.push(errand)
    this.wake()
  }

  /** Runs until `stop`; a request that is under way then may go on until `cut`. */
  async run(stop: AbortSignal, cut: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.#wake = Promise.withResolvers()
      const chat = this.#options.chat()
      const errand = this.#again ?? this.#answers[0] ?? this.#options.next()
      if (!errand || chat === undefined) {
        await this.#pause(this.#options.idleMs, stop, this.#wake.promise)
        continue
      }
      const now = performance.now()
      const extra = errand === this.#answers[0] ? answersExtra : 0
      const waitMs = Math.max(this.#notBefore - now, this.#options.pace.waitMs(now, extra))
      if (waitMs > 0) await this.#pause(waitMs, stop, this.#wake.promise)
      else await this.#say(errand, chat, stop, cut)
    }
  }

  async #say(errand: Errand, chat: number, stop: AbortSignal, cut: AbortSignal): Promise<void> {
    const { bot, pace, onFailure } = this.#options
    pace.count(performance.now())
    let message: number
    try {
      message = await bot.send(chat, errand.post, cut, this.#plain.has(errand))
    } catch (error) {
      if (cut.aborted) return
      const failure = failureOf(error, 'send')
      await onFailure(failure, chat)
      await this.#failed(errand, failure, stop)
      return
    }
    this.#options.onSent()
    try {
      await errand.accepted?.(chat, message)
    } catch (error) {
      // It will be said again: not at once, whatever is wrong.
      await this.#backOff(stop)
      throw error
    }
    this.#failures = 0
    this.#settle(errand)
  }

  async #failed(errand: Errand, failure: TelegramFailure, stop: AbortSignal): Promise<void> {
    const { retryMs } = this.#options
    switch (failure.kind) {
      case 'wait':
        this.#notBefore = performance.now() + failure.retryAfterMs + Math.random() * Math.min(1000, retryMs)
        return
      case 'moved':
        return
      case 'malformed':
      case 'refused':
        if (failure.kind === 'malformed' && !this.#plain.has(errand)) {
          this.#plain.add(errand)
          this.#again = errand
          return
        }
        await errand.refused?.(failure.message)
        this.#settle(errand)
        return
      case 'closed':
        // What was an answer to somebody is pointless by the time that the chat is open again.
        this.#answers.length = 0
        this.#again = undefined
        await this.#backOff(stop, retryMs * 100)
        return
      default:
        if (failure.mayHaveArrived) this.#again = errand
        await this.#backOff(stop)
        if (failure.mayHaveArrived) await this.#proveLine(stop)
    }
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

  #settle(errand: Errand): void {
    if (this.#again === errand) this.#again = undefined
    if (this.#answers[0] === errand) this.#answers.shift()
  }

  async #pause(ms: number, stop: AbortSignal, woken: Promise<void>): Promise<void> {
    const end = new AbortController()
    const signal = AbortSignal.any([stop, end.signal])
    await Promise.race([delay(Math.min(ms, 2 ** 31 - 1), undefined, { signal }).catch(() => {}), woken])
    end.abort()
  }
}
