import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { TelegramSettings } from '../config/telegram.ts'
import type { Hub } from '../hub.ts'
import type { Audit } from '../seeing/audit.ts'
import type { Bot } from './bot.ts'
import type { BridgeStatus } from './bridge-status.ts'
import { destinationOf } from './destinations.ts'
import { durably } from './durably.ts'
import { failureOf, type TelegramFailure } from './failure.ts'
import { html } from './html.ts'
import { commands } from './in/commands.ts'
import type { Context, Received } from './in/context.ts'
import { Handler } from './in/handler.ts'
import { poll } from './in/poll.ts'
import type { Reply } from './in/send.ts'
import { UpdateFilter } from './in/update-filter.ts'
import { Couriers } from './out/couriers.ts'
import type { Downtime } from './out/downtime.ts'
import { Reactions } from './out/reactions.ts'
import type { OutgoingPost } from './outgoing-post.ts'
import type { People, Person } from './people.ts'

/** Most UTF-16 units of an answer sent as text; a longer one goes as a file. Telegram takes 4,096 in one message. */
const maxAnswer = 4_000

export interface SessionOptions {
  hub: Hub
  settings: TelegramSettings
  people: People
  bot: Bot
  status: BridgeStatus
  downtime: Downtime
  log: Logger
  audit: Audit
  consoleUrl: () => string | undefined
}

/** The bridge under one bot token: runs from Telegram's first response until `stop`, or until Telegram refuses the token. */
export class Session {
  readonly #options: SessionOptions
  readonly #over = new AbortController()
  readonly #stop: AbortSignal
  readonly #cut: AbortSignal
  readonly #submit: Hub['submit']

  /** Starts no new request after `stop`, and aborts those in flight at `cut`. */
  constructor(options: SessionOptions, stop: AbortSignal, cut: AbortSignal) {
    this.#options = options
    this.#stop = AbortSignal.any([stop, this.#over.signal])
    this.#cut = AbortSignal.any([cut, this.#over.signal])
    const { hub, settings } = options
    this.#submit = command => durably(() => hub.submit(command), settings.timing.retryMs, this.#cut)
  }

  async run(): Promise<void> {
    const { hub, settings, people, bot, status, downtime, consoleUrl, audit } = this.#options
    const { retryMs } = settings.timing
    const me = await this.#introduce()
    if (!me) return
    const context: Context = { hub, people, settings, status, bot: me, consoleUrl, audit }
    const couriers = this.#couriers()
    const reactions = new Reactions({
      hub,
      bot,
      submit: this.#submit,
      retryMs,
      onRefused: ({ chat, message, sign }) => {
        if (sign === 'stored')
          couriers.at(chat)?.answer({ post: { text: html`Stored.`, replyTo: message, isSilent: true } })
      },
    })
    const handler = new Handler({
      context,
      retryMs,
      reply: (received, reply) => this.#reply(received, reply, reactions, couriers),
      // If this fails, the button only keeps its progress bar.
      answerPress: (id, word) => void bot.answerPress(id, word, this.#cut).catch(() => {}),
      onBug: err => this.#options.log.error({ err }, 'a message from Telegram could not be handled'),
    })
    const filter = new UpdateFilter({
      ...this.#options,
      me,
      tell: (destination, outgoing) => couriers.of(destination)?.answer(outgoing),
      onMoved: (from, to) => this.#moved(from, to, couriers),
    })
    const down = downtime.notice()
    if (down) couriers.of('group')!.answer(down)
    const loops: [name: string, loop: () => Promise<void>][] = [
      ['poll', () => this.#poll(filter, handler, couriers)],
      ['handle', () => handler.run(this.#stop)],
      ['react', () => reactions.run(this.#stop)],
      ...couriers.all.map(([destination, courier]): [string, () => Promise<void>] => [
        `courier ${destination}`,
        () => courier.run(this.#stop, this.#cut),
      ]),
      ...people.all.map((person): [string, () => Promise<void>] => [
        `follow ${person.name}`,
        () => this.#follow(person, reactions, couriers),
      ]),
    ]
    await Promise.all(loops.map(([name, loop]) => this.#guard(name, loop)))
  }

  /** Asks Telegram for the bot's id and name until it responds. Returns undefined when the session ends before that. */
  async #introduce(): Promise<Context['bot'] | undefined> {
    const { bot, status, settings } = this.#options
    for (let failures = 0; !this.#stop.aborted; failures++) {
      try {
        const { id, username, can_read_all_group_messages: hearsAll } = await bot.me(this.#stop)
        status.bot = { id, username, hearsAll }
        status.well('telegram')
        const menu = Object.entries(commands).map(([command, { description }]) => ({ command, description }))
        // Not awaited: without it Telegram shows the menu that it was given last.
        void bot
          .setCommands(
            menu.filter(({ command }) => command !== 'start'),
            this.#stop,
          )
          .catch(() => {})
        return { id, username }
      } catch (error) {
        if (this.#stop.aborted) break
        const failure = failureOf(error, 'getMe')
        status.trouble('telegram', failure.message)
        if (failure.kind === 'unauthorized') return undefined
        const waitMs = Math.max(failure.retryAfterMs, settings.timing.retryMs * Math.min(20, 2 ** failures))
        await delay(waitMs, undefined, { signal: this.#stop }).catch(() => {})
      }
    }
    return undefined
  }

  #couriers(): Couriers {
    const { hub, settings, people, bot, status } = this.#options
    const couriers: Couriers = new Couriers({
      hub,
      settings,
      people,
      bot,
      status,
      submit: this.#submit,
      onMoved: (from, to) => this.#moved(from, to, couriers),
      onFailure: failure => this.#failed(failure),
    })
    return couriers
  }

  #poll(filter: UpdateFilter, handler: Handler, couriers: Couriers): Promise<void> {
    const { hub, bot, status, settings } = this.#options
    return poll(
      {
        hub,
        bot,
        status,
        retryMs: settings.timing.retryMs,
        filter: updates => filter.filter(updates),
        onStored: () => handler.wake(),
        onBack: () => {
          for (const [, courier] of couriers.all) courier.nudge()
        },
        onFailure: failure => this.#failed(failure),
      },
      this.#stop,
    )
  }

  /** Wakes the courier when a message for the person is stored, and the reactions when one of theirs is acked. */
  async #follow(person: Person, reactions: Reactions, couriers: Couriers): Promise<void> {
    const { hub, people } = this.#options
    for await (const change of hub.follow(person.member, undefined, this.#stop)) {
      if (change.event === 'inbox') couriers.of(destinationOf(people, person))?.wake()
      else if (change.data.status === 'acked') reactions.acked()
    }
  }

  #failed(failure: TelegramFailure): void {
    const { status } = this.#options
    if (failure.kind === 'wait') status.toldToWait++
    if (failure.kind !== 'unauthorized') return
    status.trouble('telegram', failure.message)
    this.#over.abort()
  }

  /** Stores the group's new id when Telegram has made it a supergroup. Ignores moves of any other chat. */
  async #moved(from: number, to: number, couriers: Couriers): Promise<void> {
    const { people, audit, log } = this.#options
    if (from !== people.group || from === to) return
    await this.#submit({ type: 'telegram.move', from, to })
    audit.add({
      actor: null,
      tokenId: null,
      address: `telegram:${from}`,
      action: 'telegramMove',
      target: null,
      detail: `to=${to}`,
      result: 'ok',
    })
    log.warn({ from, to }, 'the Telegram group became a supergroup; set telegram.chatId to its new id')
    couriers.of('group')?.nudge()
  }

  #reply(
    { chat, message, isPrivate, person }: Received,
    { sign, text, buttons, shows = [] }: Reply,
    reactions: Reactions,
    couriers: Couriers,
  ): void {
    if (sign) reactions.show(chat, message, sign)
    if (!text) return
    const isLong = text.plain.length > maxAnswer
    const post: OutgoingPost['post'] = isLong
      ? { text: html`That is long; here it is as a file.`, document: { name: 'answer.txt', content: text.plain } }
      : { text, buttons }
    const outgoing: OutgoingPost = { post: { ...post, replyTo: message, isSilent: true } }
    if (shows.length > 0) {
      outgoing.accepted = async (chat, message) => {
        await this.#submit({ type: 'telegram.viewed', chat, message, ids: shows })
      }
    }
    // Each message that was not understood gets its reaction; the same text is sent once for all of them.
    couriers.of(isPrivate ? person.member : 'group')?.answer(outgoing, sign === 'unclear' && !buttons)
  }

  /** Runs `loop`, and restarts it after an unexpected error: a bug in the bridge must not stop the hub. */
  async #guard(name: string, loop: () => Promise<void>): Promise<void> {
    const { log, settings } = this.#options
    while (!this.#stop.aborted) {
      try {
        await loop()
      } catch (err) {
        if (this.#stop.aborted) return
        log.error({ err, loop: name }, 'a loop of the Telegram bridge failed and is restarted')
        await delay(settings.timing.retryMs, undefined, { signal: this.#stop }).catch(() => {})
      }
    }
  }
}
