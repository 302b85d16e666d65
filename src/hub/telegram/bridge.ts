import { readFileSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { TelegramCheck, TelegramStatus } from '../../protocol/telegram.ts'
import type { TelegramSettings } from '../config/telegram.ts'
import type { Hub } from '../hub.ts'
import type { Audit } from '../seeing/audit.ts'
import { termOf, untilMine } from '../sharing/duty.ts'
import { claimOf } from '../state/query/claims.ts'
import { failedMail, mailCount, personOf } from '../state/query/telegram.ts'
import { timestamp } from '../state/timestamp.ts'
import type { TelegramAdmin } from '../telegram-admin.ts'
import { Bot } from './bot.ts'
import { BridgeStatus } from './bridge-status.ts'
import { checkTelegram } from './check.ts'
import { durably } from './durably.ts'
import { Downtime } from './out/downtime.ts'
import { People } from './people.ts'
import { Session } from './session.ts'

/** Time that requests in flight get to finish when the hub stops, in ms. */
const farewellMs = 1_500

/** Once another hub has run the bridge for this long, in ms, the absence of this hub is not reported as downtime. */
const coveredMs = 15_000

/** Form of a bot token (core.telegram.org/bots/api#authorizing-your-bot). Nothing else is sent to Telegram as one. */
const tokenPattern = /^\d{3,20}:[\w-]{20,}$/

export interface BridgeOptions {
  hub: Hub
  settings: TelegramSettings
  /** Undefined when neither hub.json nor systemd names a token file. */
  tokenFile: string | undefined
  /** File in the data directory whose modification time shows when the hub last ran. */
  aliveFile: string
  log: Logger
  audit: Audit
  /** Returns the URL at which browsers reach the hub, as hub.json has it now. */
  consoleUrl: () => string | undefined
}

/**
 * The door to people on Telegram. Submits, reads and follows as any door does: it sends the messages in the inboxes of humans, and stores
 * each update before it confirms it to Telegram. No failure of Telegram's stops the hub.
 */
export class TelegramBridge implements TelegramAdmin {
  readonly #options: BridgeOptions
  readonly #people: People
  readonly #status: BridgeStatus
  readonly #downtime: Downtime
  readonly #stop = new AbortController()
  readonly #cut = new AbortController()
  readonly #running: Promise<void>

  constructor(options: BridgeOptions) {
    const { hub, settings, log, aliveFile } = options
    this.#options = options
    this.#people = new People(hub, settings)
    this.#status = new BridgeStatus(trouble => log.warn({ trouble }, 'telegram'))
    this.#downtime = new Downtime(aliveFile, settings.timing.downMs)
    this.#running = this.#run().catch(err => {
      if (!this.#stop.signal.aborted) log.error({ err }, 'the Telegram bridge has ended')
    })
  }

  status(): TelegramStatus {
    const { hub } = this.#options
    const { bot, lastPollAt, toldToWait, troubles } = this.#status
    return {
      configured: true,
      bot: bot?.username ?? null,
      chatId: this.#people.group,
      lastPollAt: lastPollAt === undefined ? null : timestamp(lastPollAt),
      trouble: troubles.length === 0 ? null : troubles.join(' '),
      toldToWait,
      ...(!hub.duty.isMine && { carriedBy: claimOf(hub.state.db)?.hub ?? null }),
      people: this.#people.all.map(person => {
        const row = personOf(hub.state.db, person.member)
        const userId = this.#people.userOf(person) ?? null
        const by = userId === null ? 'nobody' : person.settings.id === undefined ? 'confirmed' : 'config'
        const { candidate = null, candidateName, candidateAt } = row ?? {}
        return {
          name: person.name,
          username: person.settings.username ?? null,
          userId,
          by,
          candidate:
            candidate === null
              ? null
              : { userId: candidate, name: candidateName ?? '', seenAt: timestamp(candidateAt ?? 0) },
          isPrivate: this.#people.isPrivate(person),
          waiting: mailCount(hub.state.db, person.member).count,
        }
      }),
      failed: failedMail(hub.state.db, 20),
    }
  }

  async check(): Promise<TelegramCheck[]> {
    const token = this.#token()
    if (token.text === undefined) return [{ link: 'token', state: 'failed', found: token.why, mend: token.mend }]
    const trouble = (member: number) => this.#status.troubleWith(`chat ${member}`)
    return [...this.#checkMode(), ...(await checkTelegram(this.#bot(token.text), this.#people, trouble))]
  }

  async confirm(name: string, userId: number | null): Promise<{ name: string; userId: number | null }> {
    const person = this.#people.byName(name)
    if (!person)
      throw new ClaudeNetError(
        'not_found',
        `hub.json has no human '${name}' under telegram.`,
        'claude-net telegram lists them.',
      )
    if (person.settings.id !== undefined) {
      throw new ClaudeNetError(
        'conflict',
        `hub.json says that ${name} is user ${person.settings.id}.`,
        'Change it there, and restart the hub.',
      )
    }
    await this.#options.hub.submit({ type: 'telegram.confirm', person: person.member, user: userId })
    return { name, userId }
  }

  /** Stops the bridge; messages that Telegram accepts before the end are still recorded. */
  async close(): Promise<void> {
    this.#stop.abort()
    const timer = setTimeout(() => this.#cut.abort(), farewellMs)
    await this.#running
    clearTimeout(timer)
    this.#cut.abort()
    this.#downtime.close()
  }

  /** Runs one session after the other. After Telegram refuses a token, waits until the token file has a different one. */
  async #run(): Promise<void> {
    const { hub, settings, log, audit, consoleUrl } = this.#options
    const { signal: stop } = this.#stop
    const refused = await durably(() => this.#people.enrol(), settings.timing.retryMs, stop)
    for (const why of refused) this.#status.trouble(`member ${why}`, `A human of hub.json cannot be a member: ${why}`)
    let spent: string | undefined
    while (!stop.aborted) {
      if (!hub.duty.isMine) {
        await this.#awaitDuty(stop)
        spent = undefined
        continue
      }
      const token = this.#token()
      if (token.text === undefined) this.#status.trouble('token', `${token.why} ${token.mend}`)
      if (token.text !== undefined && token.text !== spent) {
        this.#status.well('token')
        spent = token.text
        const bot = this.#bot(token.text, () => hub.duty.isMine)
        const { status, people, downtime } = { status: this.#status, people: this.#people, downtime: this.#downtime }
        const term = termOf(hub.duty, farewellMs)
        await new Session(
          { hub, settings, people, bot, status, downtime, log, audit, consoleUrl },
          AbortSignal.any([stop, term.over]),
          AbortSignal.any([this.#cut.signal, term.cut]),
        ).run()
        term.done()
      } else await delay(settings.timing.retryMs, undefined, { signal: stop }).catch(() => {})
    }
  }

  /** Waits until this hub runs the bridge; of several hubs that share the history one does. */
  async #awaitDuty(stop: AbortSignal): Promise<void> {
    this.#status.ended()
    const timer = setTimeout(() => this.#downtime.forget(), coveredMs).unref()
    await untilMine(this.#options.hub.duty, stop)
    clearTimeout(timer)
  }

  #bot(token: string, mayCall?: () => boolean): Bot {
    const { apiRoot, timing } = this.#options.settings
    return new Bot(token, { apiRoot, pollS: timing.pollS, requestMs: timing.requestMs, mayCall })
  }

  #checkMode(): TelegramCheck[] {
    const file = this.#options.tokenFile!
    if ((statSync(file).mode & 0o077) === 0 || process.env.CREDENTIALS_DIRECTORY !== undefined) return []
    return [
      { link: 'file', state: 'warning', found: `others on this host can read ${file}`, mend: `chmod 600 ${file}` },
    ]
  }

  #token(): { text: string } | { text?: undefined; why: string; mend: string } {
    const { tokenFile } = this.#options
    if (tokenFile === undefined) {
      return {
        why: 'hub.json does not say where the bot’s token is.',
        mend: 'Set telegram.tokenFile, or give the service LoadCredential=telegram-token:FILE.',
      }
    }
    try {
      const text = readFileSync(tokenFile, 'utf8').trim()
      if (tokenPattern.test(text)) return { text }
      return {
        why: `${tokenFile} holds no bot token.`,
        mend: 'Put into it what @BotFather gave: digits, a colon, 35 characters.',
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
      return {
        why: `${tokenFile} cannot be read (${code}).`,
        mend: 'Put the token of @BotFather there, readable for the user of the hub only.',
      }
    }
  }
}
