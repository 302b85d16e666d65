import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { TelegramSettings } from '../../../src/hub/config/telegram.ts'
import { bearer, HubWorld } from '../hub-world.ts'
import { Broken, filledIn, holdsNoSecret, jsonOf, objectOf, type Target } from '../target.ts'

const token = '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw'
const group = -5212813086
const me = { id: 110201543, is_bot: true, first_name: 'Claude Net', username: 'netbot' }
const sean = { id: 523698450, is_bot: false, first_name: 'Sean', username: 'kristofer_sean' }
const stranger = { id: 99, is_bot: false, first_name: 'Eve' }
const inGroup = { id: group, type: 'group', title: 'omelasai' }
const inPrivate = { id: sean.id, type: 'private', first_name: 'Sean' }
const message = (more: object) => ({
  message: { message_id: 7, date: 1_767_225_600, chat: inPrivate, from: sean, text: 'hello', ...more },
})

/** Updates of the Bot API: messages, pressed buttons and changes of chats. */
export const telegram: Target = {
  name: 'telegram',
  what: 'updates of Telegram to the bridge',
  json: true,
  maxFiles: 40,
  dictionary: [
    ...[
      'message',
      'edited_message',
      'callback_query',
      'my_chat_member',
      'message_id',
      'chat',
      'from',
      'text',
      'caption',
      'entities',
      'caption_entities',
      'text_mention',
      'user',
      'type',
      'private',
      'group',
      'supergroup',
      'username',
      'first_name',
      'is_bot',
    ],
    ...[
      'reply_to_message',
      'forward_origin',
      'forward_date',
      'sender_chat',
      'via_bot',
      'forum_topic_created',
      'message_thread_id',
      'migrate_to_chat_id',
      'migrate_from_chat_id',
      'new_chat_member',
      'status',
      'left',
      'photo',
      'voice',
      'sticker',
      'poll',
      'pinned_message',
      'data',
      'id',
      '$id',
    ],
    ...[
      '/send seanclaude hello',
      '/send',
      '/start',
      '/help',
      '/machines',
      '/inbox',
      '/here',
      '/there',
      '/quiet',
      '/later',
      '/cancel',
      '/status',
      '/console',
      '/ask seanclaude,chasclaude is it red?',
      '@netbot seanclaude: hello',
      '/send@netbot seanclaude x',
      '/send@otherbot x',
      'seanclaude/shop',
      'all',
      '<b>&amp;</b>',
      '👍',
    ],
  ],
  seeds: [
    [message({ text: '/send seanclaude hello' })],
    [message({ text: '/send seancluade hello' }), message({ text: '/machines' })],
    [message({ chat: inGroup, text: '@netbot seanclaude: is it red?' })],
    [message({ chat: inGroup, from: stranger, text: '@netbot seanclaude: let me in' })],
    [message({ text: 'yes', reply_to_message: { message_id: 1, chat: inPrivate, from: me, text: 'x' } })],
    [message({ text: undefined, photo: [{}], caption: 'look' }), message({ text: undefined, voice: {} })],
    [{ edited_message: message({ text: '/send seanclaude corrected' }).message }],
    [
      {
        callback_query: {
          id: 'press-1',
          from: sean,
          data: 'ack:1',
          message: { message_id: 1, chat: inPrivate, date: 0 },
        },
      },
    ],
    [
      {
        my_chat_member: {
          chat: inGroup,
          from: sean,
          date: 0,
          new_chat_member: { status: 'left', user: me },
          old_chat_member: { status: 'member', user: me },
        },
      },
    ],
    [message({ chat: inGroup, migrate_to_chat_id: -1001234567890, text: undefined })],
    [
      message({ text: '/ask seanclaude chasclaude is it red?' }),
      message({ text: '/later' }),
      message({ text: '/help' }),
    ],
    [message({ forward_origin: { type: 'user', sender_user: stranger, date: 0 }, text: 'forwarded' })],
  ].map(each => JSON.stringify(each)),
  async open() {
    const dir = mkdtempSync(join(tmpdir(), 'claude-net-fuzz-telegram-'))
    const tokenFile = join(dir, 'telegram.token')
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 })
    const api = await BotApi.start()
    const timing = { pollS: 1, requestMs: 2000, windowMs: 100, retryMs: 20, lookMs: 200, graceMs: 0 }
    const settings = TelegramSettings.parse({
      chatId: group,
      humans: { sean: { id: sean.id, username: sean.username } },
      apiRoot: api.url,
      timing,
    })
    const world = await HubWorld.start({ telegram: settings, telegramTokenFile: tokenFile })
    world.secrets.add(token)
    const db = new DatabaseSync(join(world.dir, 'data/hub.db'), { readOnly: true })
    const waiting = db.prepare('select count(*) as n from telegram_update where content is not null')
    return {
      async run(input) {
        const given = filledIn(jsonOf(input), { $id: () => String(api.lastSent) })
        await api.bring((Array.isArray(given) ? given : [given]).slice(0, 10).map(objectOf))
        while ((waiting.get() as { n: number }).n > 0) await delay(1)
        const [wrong] = api.wrong.splice(0)
        if (wrong !== undefined) throw new Broken(wrong)
        holdsNoSecret('a message on Telegram', api.sent.splice(0).join('\n'), world.secrets)
      },
      async check() {
        await world.check()
        // The bridge still works: a valid message arrives.
        const text = `still there ${Date.now()}`
        await api.bring([message({ text: `/send seanclaude ${text}` })])
        for (;;) {
          const { text: inbox } = await world.ask({ path: '/v1/inbox', headers: bearer(world.tokens.machine) })
          const { messages } = JSON.parse(inbox) as { messages: { id: string; body: string }[] }
          if (messages.length > 0)
            await world.json(
              'POST',
              '/v1/inbox/ack',
              { ids: messages.map(({ id }) => id) },
              bearer(world.tokens.machine),
            )
          if (messages.some(({ body }) => body.includes(text))) return
          await delay(5)
        }
      },
      async close() {
        db.close()
        await world.close()
        await api.close()
        rmSync(dir, { recursive: true, force: true })
      },
    }
  },
}

/** The part of the Bot API that the bridge calls (core.telegram.org/bots/api). */
class BotApi {
  readonly sent: string[] = []
  /** Violations of the Bot API's rules in what the bot sent. */
  readonly wrong: string[] = []
  lastSent = 0
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => void this.#answer(request.url ?? '', Buffer.concat(chunks).toString('utf8'), response))
  })
  #updates: Record<string, unknown>[] = []
  #next = 1000
  #message = 100
  /** The first unconfirmed update. */
  #confirmed = 0
  #wake = () => {}
  #isOver = false

  static async start(): Promise<BotApi> {
    const api = new BotApi()
    await new Promise<void>(resolve => api.#server.listen(0, '127.0.0.1', resolve))
    return api
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resolves once the bridge has confirmed these updates. Replaces the ids of updates and messages in an input by valid ones. */
  async bring(contents: readonly Record<string, unknown>[]): Promise<void> {
    for (const content of contents) {
      for (const kind of ['message', 'edited_message'])
        if (content[kind] !== undefined) content[kind] = { ...objectOf(content[kind]), message_id: this.#message++ }
      this.#updates.push({ ...content, update_id: this.#next++ })
    }
    const last = this.#next
    this.#wake()
    while (this.#confirmed < last) await delay(1)
  }

  async close(): Promise<void> {
    this.#isOver = true
    this.#wake()
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(url: string, body: string, response: ServerResponse): Promise<void> {
    const method = url.split('/').at(-1) ?? ''
    const result =
      method === 'getUpdates' ? await this.#poll(objectOf(jsonOf(Buffer.from(body)))) : this.#do(method, body)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ok: true, result }))
  }

  async #poll({ offset }: Record<string, unknown>): Promise<unknown> {
    if (typeof offset === 'number') {
      this.#confirmed = Math.max(this.#confirmed, offset)
      this.#updates = this.#updates.filter(({ update_id }) => (update_id as number) >= offset)
    }
    if (this.#updates.length === 0 && !this.#isOver)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, 1000)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    return this.#updates
  }

  #do(method: string, body: string): unknown {
    switch (method) {
      case 'getMe':
        return me
      case 'getWebhookInfo':
        return { url: '' }
      case 'getChat':
        return inGroup
      case 'getChatMember':
        return { status: 'member', user: me }
      case 'sendMessage':
      case 'sendDocument': {
        const { text = body } = objectOf(jsonOf(Buffer.from(body)))
        this.sent.push(String(text))
        if (
          method === 'sendMessage' &&
          (String(text).length > 20_000 || !String(text).isWellFormed() || String(text).trim() === '')
        )
          this.wrong.push(`the bridge sends ${JSON.stringify(text).slice(0, 300)}`)
        this.lastSent = this.#message++
        return { message_id: this.lastSent, date: 0, chat: inPrivate }
      }
      default:
        return true
    }
  }
}
