import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Hub } from '../hub.ts'
import type { Audit } from '../seeing/audit.ts'
import { sentSince } from '../state/query/telegram.ts'
import type { TelegramSettings } from '../telegram-settings.ts'
import type { Bot } from './bot.ts'
import type { BridgeStatus } from './bridge-status.ts'
import { commands } from './commands.ts'
import { type ChatLimits, Courier, type Errand } from './courier.ts'
import type { Desk, Said } from './desk.ts'
import type { Downtime } from './downtime.ts'
import { durably } from './durably.ts'
import { failureOf, type TelegramFailure } from './failure.ts'
import { Handler } from './handle.ts'
import { html } from './html.ts'
import type { Reply } from './letters.ts'
import { Lookout } from './lookout.ts'
import { Mail } from './mail.ts'
import type { People, Person } from './people.ts'
import { chatOf, nameIn, type Place, placeOf } from './places.ts'
import { poll } from './poll.ts'
import { Reactions } from './reactions.ts'
import { Sieve } from './sieve.ts'

/** A group takes 20 messages in a window (see `timing.windowMs`), a private chat about one a second and short bursts. */
const groupLimits: ChatLimits = { urgent: 20, answer: 19, mail: 17, answersAlone: 10 }
const privateLimits: ChatLimits = { urgent: 4, answer: 3, mail: 1, answersAlone: 3 }
const privateWindowMs = 1_000

/** How long it is told that a topic took nothing, in ms. */
const topicTroubleMs = 3600 * 1000

/** Telegram takes 4,096 UTF-16 units in one message; a longer answer goes as a file. */
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

/** All that goes on between the hub and Telegram under one token, from the first answer of Telegram until `stop`, or until the token is refused. */
export class Session {
  readonly #options: SessionOptions
  readonly #couriers = new Map<Place, Courier>()
  readonly #over = new AbortController()
  readonly #stop: AbortSignal
  readonly #cut: AbortSignal
  readonly #submit: Hub['submit']

  /** At `stop` no new request begins; at `cut` those under way are given up. */
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
    const desk: Desk = { hub, people, settings, status, bot: me, consoleUrl, audit }
    for (const place of ['group' as const, ...people.all.map(({ member }) => member)]) {
      this.#couriers.set(place, this.#courier(place))
    }
    const reactions = new Reactions({
      hub,
      bot,
      submit: this.#submit,
      retryMs,
      onRefused: ({ chat, message, sign }) => {
        if (sign === 'stored')
          this.#courierAt(chat)?.answer({ post: { text: html`Stored.`, replyTo: message, isSilent: true } })
      },
    })
    const handler = new Handler({
      desk,
      retryMs,
      reply: (said, reply) => this.#reply(said, reply, reactions),
      // A spinner that goes on turning is all that is lost with it.
      answerPress: (id, word) => void bot.answerPress(id, word, this.#cut).catch(() => {}),
      onBug: err => this.#options.log.error({ err }, 'what somebody wrote on Telegram could not be dealt with'),
    })
    const sieve = new Sieve({
      ...this.#options,
      me,
      tell: (place, errand) => this.#couriers.get(place)?.answer(errand),
      onMoved: (from, to) => this.#moved(from, to),
    })
    const down = downtime.errand()
    if (down) this.#couriers.get('group')!.answer(down)
    const loops: [name: string, loop: () => Promise<void>][] = [
      ['poll', () => this.#poll(sieve, handler)],
      ['handle', () => handler.run(this.#stop)],
      ['react', () => reactions.run(this.#stop)],
      ...[...this.#couriers].map(([place, courier]): [string, () => Promise<void>] => [
        `courier ${place}`,
        () => courier.run(this.#stop, this.#cut),
      ]),
      ...people.all.map((person): [string, () => Promise<void>] => [
        `follow ${person.name}`,
        () => this.#follow(person, reactions),
      ]),
    ]
    await Promise.all(loops.map(([name, loop]) => this.#guard(name, loop)))
  }

  /** Learns who the bot is, however long Telegram takes to say so. Undefined when the session ends before. */
  async #introduce(): Promise<Desk['bot'] | undefined> {
    const { bot, status, settings } = this.#options
    for (let failures = 0; !this.#stop.aborted; failures++) {
      try {
        const { id, username, can_read_all_group_messages: hearsAll } = await bot.me(this.#stop)
        status.bot = { id, username, hearsAll }
        status.well('telegram')
        const menu = Object.entries(commands).map(([command, { description }]) => ({ command, description }))
        // A menu of last time is no reason to wait.
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

  #poll(sieve: Sieve, handler: Handler): Promise<void> {
    const { hub, bot, status, settings } = this.#options
    return poll(
      {
        hub,
        bot,
        status,
        retryMs: settings.timing.retryMs,
        sift: updates => sieve.sift(updates),
        onKept: () => handler.wake(),
        onBack: () => {
          for (const courier of this.#couriers.values()) courier.nudge()
        },
        onFailure: failure => this.#failed(failure),
      },
      this.#stop,
    )
  }

  /** Wakes whoever has to do with news of a person: mail for them, or what became of theirs. */
  async #follow(person: Person, reactions: Reactions): Promise<void> {
    const { hub, people } = this.#options
    for await (const change of hub.follow(person.member, undefined, this.#stop)) {
      if (change.event === 'inbox') this.#couriers.get(placeOf(people, person))?.wake()
      else if (change.data.status === 'acked') reactions.acked()
    }
  }

  #courier(place: Place): Courier {
    const { hub, settings, people, bot, status } = this.#options
    const { windowMs, retryMs, lookMs } = settings.timing
    const shared = { hub, people, settings, place, submit: this.#submit }
    const mail = new Mail(shared)
    const lookout = new Lookout(shared)
    return new Courier({
      bot,
      chat: () => chatOf(people, place),
      urgent: () => {
        const chat = chatOf(people, place)
        return chat === undefined ? undefined : mail.urgent(chat)
      },
      next: () => {
        const chat = chatOf(people, place)
        return chat === undefined ? undefined : (mail.next(chat) ?? lookout.next())
      },
      ...(place === 'group'
        ? { limits: groupLimits, windowMs, earlier: this.#earlier(windowMs) }
        : { limits: privateLimits, windowMs: Math.min(privateWindowMs, windowMs) }),
      retryMs,
      idleMs: lookMs,
      onSent: () => {
        status.well('send')
        status.well(`chat ${place}`)
      },
      onFailure: async (failure, chat) => {
        if (failure.kind === 'moved' && failure.movedTo !== undefined) await this.#moved(chat, failure.movedTo)
        if (failure.kind === 'closed') this.#closed(place, failure)
        if (failure.kind === 'topic') {
          const text = `A topic of the group takes nothing; what belongs there is said in the general chat: ${failure.message}`
          status.trouble(`topic ${place}`, text, topicTroubleMs)
        }
        if (failure.kind === 'unreachable') status.trouble('send', failure.message)
        this.#failed(failure)
      },
    })
  }

  /** When mail went to the group before this start, on the clock of `performance.now()`: its pace outlives the hub. */
  #earlier(windowMs: number): number[] {
    const { hub, people } = this.#options
    const now = Date.now()
    const times = sentSince(hub.state.db, people.group, now - windowMs)
    return times.filter(at => at <= now).map(at => performance.now() - (now - at))
  }

  #failed(failure: TelegramFailure): void {
    const { status } = this.#options
    if (failure.kind === 'wait') status.toldToWait++
    if (failure.kind !== 'unauthorized') return
    status.trouble('telegram', failure.message)
    this.#over.abort()
  }

  #closed(place: Place, failure: TelegramFailure): void {
    const { status, people } = this.#options
    const person = place === 'group' ? undefined : people.byMember(place)
    const isNews = !status.troubles.some(trouble => trouble.includes(failure.message))
    status.trouble(
      `chat ${place}`,
      `${person ? `${person.name} cannot be written to in private` : 'The group cannot be written to'}: ${failure.message}`,
    )
    if (!person || !isNews) return
    // Their mail was meant for their eyes alone: it waits.
    const text = html`${nameIn(people, 'group', person)}: I may not write to you in private. Open a chat with me and press Start, or write /here in the group. Your mail waits.`
    this.#couriers.get('group')?.answer({ post: { text } })
  }

  /** The group became a supergroup. Only what was our group may say so. */
  async #moved(from: number, to: number): Promise<void> {
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
    this.#couriers.get('group')?.nudge()
  }

  #reply(said: Said, { sign, text, buttons, shows = [] }: Reply, reactions: Reactions): void {
    if (sign) reactions.show(said.chat, said.message, sign)
    if (!text) return
    const isLong = text.plain.length > maxAnswer
    const post: Errand['post'] = isLong
      ? { text: html`That is long; here it is as a file.`, document: { name: 'answer.txt', content: text.plain } }
      : { text, buttons }
    const errand: Errand = { post: { ...post, replyTo: said.message, isSilent: true } }
    if (shows.length > 0) {
      errand.accepted = async (chat, message) => {
        await this.#submit({ type: 'telegram.viewed', chat, message, ids: shows })
      }
    }
    // Where many are not understood, each has its sign; the words are said once.
    this.#couriers.get(said.isPrivate ? said.person.member : 'group')?.answer(errand, sign === 'unclear' && !buttons)
  }

  #courierAt(chat: number): Courier | undefined {
    const { people } = this.#options
    const place = chat === people.group ? 'group' : people.byUser(chat)?.member
    return place === undefined ? undefined : this.#couriers.get(place)
  }

  /** Runs one loop, again after a failure that nobody foresaw: the hub goes on, whatever happens here. */
  async #guard(name: string, loop: () => Promise<void>): Promise<void> {
    const { log, settings } = this.#options
    while (!this.#stop.aborted) {
      try {
        await loop()
      } catch (err) {
        if (this.#stop.aborted) return
        log.error({ err, loop: name }, 'the Telegram bridge stumbled')
        await delay(settings.timing.retryMs, undefined, { signal: this.#stop }).catch(() => {})
      }
    }
  }
}
