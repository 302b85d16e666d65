import { setTimeout as delay } from 'node:timers/promises'
import type { Hub } from '../../hub.ts'
import { ackedUnshown } from '../../state/query/telegram.ts'
import type { Bot } from '../bot.ts'
import { failureOf } from '../failure.ts'
import { type Sign, signs } from '../signs.ts'

/** Age up to which a message still shows that it was acked, in ms. */
const shownForMs = 48 * 3600 * 1000

/** Most reactions that wait; the oldest are dropped. */
const maxWaiting = 200

interface Waiting {
  chat: number
  message: number
  sign: Sign
}

export interface ReactionsOptions {
  hub: Hub
  bot: Bot
  submit: Hub['submit']
  retryMs: number
  /** Called when a chat does not allow the reaction. */
  onRefused: (waiting: Waiting) => void
}

/** Shows the state of people's messages as reactions to them. A reaction lost in a crash is set together with the next. */
export class Reactions {
  readonly #options: ReactionsOptions
  #waiting: Waiting[] = []
  #wake = Promise.withResolvers<void>()
  #mayBeAcked = true

  constructor(options: ReactionsOptions) {
    this.#options = options
  }

  show(chat: number, message: number, sign: Sign): void {
    this.#waiting = this.#waiting.filter(each => each.chat !== chat || each.message !== message).slice(-maxWaiting)
    this.#waiting.push({ chat, message, sign })
    this.#wake.resolve()
  }

  /** Signals that a message of a person was acked. */
  acked(): void {
    this.#mayBeAcked = true
    this.#wake.resolve()
  }

  async run(stop: AbortSignal): Promise<void> {
    const stopped = new Promise(resolve => stop.addEventListener('abort', resolve, { once: true }))
    while (!stop.aborted) {
      if (this.#mayBeAcked) this.#lookForAcked()
      const [next] = this.#waiting
      if (next) await this.#showNext(next, stop)
      else if (!this.#mayBeAcked) {
        await Promise.race([this.#wake.promise, stopped])
        this.#wake = Promise.withResolvers()
      }
    }
  }

  #lookForAcked(): void {
    this.#mayBeAcked = false
    for (const { chat, message } of ackedUnshown(this.#options.hub.state.db, Date.now() - shownForMs)) {
      if (!this.#waiting.some(each => each.chat === chat && each.message === message && each.sign === 'acked')) {
        this.show(chat, message, 'acked')
      }
    }
  }

  async #showNext(next: Waiting, stop: AbortSignal): Promise<void> {
    const { bot, submit, retryMs, onRefused } = this.#options
    try {
      await bot.react(next.chat, next.message, signs[next.sign], stop)
    } catch (error) {
      if (stop.aborted) return
      const failure = failureOf(error, 'setMessageReaction')
      if (failure.kind === 'wait' || failure.kind === 'unreachable') {
        await delay(Math.max(failure.retryAfterMs, retryMs), undefined, { signal: stop }).catch(() => {})
        return
      }
      if (failure.kind === 'refused') onRefused(next)
    }
    this.#waiting = this.#waiting.filter(each => each !== next)
    if (next.sign === 'acked') await submit({ type: 'telegram.shown', chat: next.chat, message: next.message })
  }
}
