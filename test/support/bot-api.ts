import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { ParseError, parseEntities, trimmed } from './bot-entities.ts'

export interface Seen {
  /** Time at which it was accepted, in ms of the monotonic clock. */
  at: number
  chat: number
  id: number
  /** The text as displayed. */
  text: string
  /** The text as it was sent. */
  source: string
  entities: { type: string; text: string; url?: string }[]
  replyTo?: number
  isSilent: boolean
  buttons: { label: string; data: string }[]
  document?: { name: string; content: string }
}

/**
 * Outcome of one call.
 *
 *   lose      it is executed, and the connection is cut instead of a response
 *   swallow   it is executed, and no response follows; the connection stays open
 *   hole      it is neither executed nor responded to; the connection stays open
 *   cut       it is not executed, and the connection is cut
 *   answer    it is refused with this error
 */
export type Fault =
  | 'lose'
  | 'swallow'
  | 'hole'
  | 'cut'
  | { code: number; description: string; parameters?: { retry_after?: number; migrate_to_chat_id?: number } }

type Payload = Record<string, unknown> & {
  chat_id?: number | string
  text?: string
  caption?: string
  parse_mode?: string
}

interface Plan {
  method: string
  fault: Fault
  chat?: number
  times: number
}

export interface User {
  id: number
  is_bot: boolean
  first_name: string
  username?: string
}

/** The reactions that bots may set (core.telegram.org/bots/api#reactiontypeemoji), as far as tests need them. */
const knownReactions = ['👀', '👍', '🤔', '😱', '🔥', '👎']

/**
 * A strict imitation of the Bot API (core.telegram.org/bots/api): one bot, its chats, long polling with confirmation by offset, limits on
 * lengths and bytes, HTML parsing, Telegram's own error texts, and faults on demand.
 */
export class FakeTelegram {
  readonly token = '110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw'
  readonly me = {
    id: 110201543,
    is_bot: true,
    first_name: 'Claude Net',
    username: 'chasombot',
    can_read_all_group_messages: false,
  }
  readonly sent: Seen[] = []
  readonly reactions: { chat: number; message: number; emoji: string }[] = []
  readonly pressAnswers: { id: string; text: string }[] = []
  /** The method of every call, in order. */
  readonly calls: string[] = []
  /** Payloads of getUpdates. */
  readonly polls: { offset?: number; at: number }[] = []
  /** Chats that the bot may write to. A private chat has the id of its user. */
  readonly chats = new Map<number, { type: string; title?: string }>()
  /** Topics that are closed, by their thread id. */
  readonly closedTopics = new Set<number>()
  readonly #threads = new Map<number, number>()
  webhook = ''
  memberStatus = 'member'
  reactionsAreOff = false
  /** Whether every call is refused, as with a revoked token. */
  isRevoked = false
  validToken: string
  readonly #updates: Record<string, unknown>[] = []
  readonly #plans: Plan[] = []
  readonly #sockets = new Set<Socket>()
  #nextUpdate = 1000
  #nextMessage = 1
  #server: Server | undefined
  #port = 0
  #arrived = Promise.withResolvers<void>()
  #polling = 0

  constructor() {
    this.validToken = this.token
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      void this.#serve(request, response).catch(error => response.destroy(error))
    })
    server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise<void>(resolve => server.listen(this.#port, '127.0.0.1', resolve))
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  /** Stops responding, until `listen`. */
  async vanish(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => (server ? server.close(resolve) : resolve(undefined)))
  }

  /** Makes the next `times` calls of `method` fail, only those for `chat` if given. */
  spoil(method: string, fault: Fault, { times = 1, chat }: { times?: number; chat?: number } = {}): void {
    this.#plans.push({ method, fault, times, chat })
  }

  heal(): void {
    this.#plans.length = 0
  }

  /** Adds an update with the next number, as Telegram would send it. Returns the number. */
  update(content: Record<string, unknown>, id = this.#nextUpdate++): number {
    this.#updates.push({ update_id: id, ...content })
    this.#nextUpdate = Math.max(this.#nextUpdate, id + 1)
    this.#arrived.resolve()
    return id
  }

  /** Sets the number of the next update; later ones follow it. */
  numberFrom(id: number): void {
    this.#nextUpdate = id
  }

  /** Adds a message by `from` in `chat`. Returns its id. */
  write(chat: number, from: User, text: string | undefined, more: Record<string, unknown> = {}): number {
    const message = this.message(chat, from, text, more)
    this.update({ message })
    return message.message_id as number
  }

  message(chat: number, from: User | undefined, text: string | undefined, more: Record<string, unknown> = {}) {
    const id = this.#nextMessage++
    const { reply_to, ...rest } = more
    if (typeof rest.message_thread_id === 'number') this.#threads.set(id, rest.message_thread_id)
    return {
      message_id: id,
      date: Math.floor(Date.now() / 1000),
      chat: { id: chat, ...(this.chats.get(chat) ?? { type: chat > 0 ? 'private' : 'group', title: 'other' }) },
      ...(from && { from }),
      ...(text !== undefined && { text }),
      ...(typeof reply_to === 'number' && { reply_to_message: this.#replied(chat, reply_to) }),
      ...rest,
    } as Record<string, unknown>
  }

  /** Makes `from` press a button under message `id`. */
  press(chat: number, from: User, id: number, data: string, more: Record<string, unknown> = {}): string {
    const press = `press-${this.#nextUpdate}`
    const message = this.message(chat, this.me, 'question', { message_id: id })
    this.update({ callback_query: { id: press, from, message, chat_instance: '1', data, ...more } })
    return press
  }

  /** Returns the messages in `chat`, in order. */
  said(chat: number): Seen[] {
    return this.sent.filter(each => each.chat === chat)
  }

  /** Number of updates that are not confirmed yet. */
  get pending(): number {
    return this.#updates.length
  }

  #replied(chat: number, id: number): Record<string, unknown> {
    const isOurs = this.sent.some(each => each.chat === chat && each.id === id)
    const from = isOurs ? this.me : { id: 4711, is_bot: false, first_name: 'Somebody' }
    return { message_id: id, date: 0, chat: { id: chat }, from, text: 'x' }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, token, method = ''] = /^\/bot([^/]+)\/(\w+)$/.exec(request.url ?? '') ?? []
    const payload = await payloadOf(request)
    this.calls.push(method)
    if (this.isRevoked || token !== this.validToken) return refuse(response, 401, 'Unauthorized')
    const fault = this.#takePlan(method, payload)
    if (typeof fault === 'object') return refuse(response, fault.code, fault.description, fault.parameters)
    if (fault === 'hole') return
    if (fault === 'cut') return void request.socket.destroy()
    try {
      const result = await this.#do(method, payload, request.socket)
      if (fault === 'swallow') return
      if (fault === 'lose') return void request.socket.destroy()
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ ok: true, result }))
    } catch (error) {
      if (!(error instanceof BotApiError)) throw error
      refuse(response, error.code, error.message, error.parameters)
    }
  }

  #takePlan(method: string, payload: Payload): Fault | undefined {
    const plan = this.#plans.find(
      each => each.method === method && (each.chat === undefined || each.chat === Number(payload.chat_id)),
    )
    if (!plan) return undefined
    if (--plan.times <= 0) this.#plans.splice(this.#plans.indexOf(plan), 1)
    return plan.fault
  }

  async #do(method: string, payload: Payload, socket: Socket): Promise<unknown> {
    switch (method) {
      case 'getMe':
        return this.me
      case 'getWebhookInfo':
        return { url: this.webhook, has_custom_certificate: false, pending_update_count: this.#updates.length }
      case 'getUpdates':
        return this.#getUpdates(payload, socket)
      case 'getChat':
        return { id: payload.chat_id, ...this.#chat(payload) }
      case 'getChatMember':
        this.#chat(payload)
        return { status: this.memberStatus, user: this.me }
      case 'sendChatAction':
        this.#chat(payload)
        return true
      case 'setMyCommands':
        return true
      case 'sendMessage':
      case 'sendDocument':
        return this.#send(method, payload)
      case 'setMessageReaction':
        return this.#react(payload)
      case 'answerCallbackQuery':
        if ((payload.text as string).length > 200) throw bad('MESSAGE_TOO_LONG')
        this.pressAnswers.push({ id: payload.callback_query_id as string, text: payload.text as string })
        return true
      default:
        throw new BotApiError(404, 'Not Found')
    }
  }

  async #getUpdates({ offset, timeout = 0, limit = 100 }: Payload, socket: Socket): Promise<unknown> {
    this.polls.push({ offset: offset as number | undefined, at: performance.now() })
    if (this.webhook) {
      throw new BotApiError(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      )
    }
    const mine = ++this.#polling
    if (typeof offset === 'number') {
      for (const update of [...this.#updates]) {
        if ((update.update_id as number) < offset) this.#updates.splice(this.#updates.indexOf(update), 1)
      }
    }
    const endAt = performance.now() + (timeout as number) * 1000
    while (this.#updates.length === 0 && performance.now() < endAt && !socket.destroyed) {
      if (mine !== this.#polling) {
        throw new BotApiError(
          409,
          'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
        )
      }
      this.#arrived = Promise.withResolvers()
      await Promise.race([this.#arrived.promise, delay(Math.min(100, endAt - performance.now()))])
    }
    return this.#updates.slice(0, limit as number)
  }

  #chat(payload: Payload): { type: string; title?: string } {
    const chat = this.chats.get(Number(payload.chat_id))
    if (!chat) throw bad('chat not found')
    return chat
  }

  #send(method: string, payload: Payload): unknown {
    this.#chat(payload)
    const source = (method === 'sendMessage' ? payload.text : payload.caption) ?? ''
    if (!source.isWellFormed()) throw bad('strings must be encoded in UTF-8')
    const { text, entities } = parse(source, payload.parse_mode)
    if (method === 'sendMessage' && trimmed(text) === '') throw bad('message text is empty')
    const most = method === 'sendMessage' ? 4096 : 1024
    if (text.length > most) throw bad(method === 'sendMessage' ? 'message is too long' : 'message caption is too long')
    const buttons = buttonsOf(payload)
    const link = payload.link_preview_options as { is_disabled?: boolean } | undefined
    if (method === 'sendMessage' && !link?.is_disabled) throw bad('these tests want no link previews')
    const reply = payload.reply_parameters as { message_id: number } | undefined
    if (reply && this.closedTopics.has(this.#threads.get(reply.message_id) ?? 0)) throw bad('TOPIC_CLOSED')
    const id = this.#nextMessage++
    this.sent.push({
      at: performance.now(),
      chat: Number(payload.chat_id),
      id,
      text,
      source,
      entities,
      ...(reply && { replyTo: reply.message_id }),
      isSilent: payload.disable_notification === true,
      buttons,
      ...(method === 'sendDocument' && { document: payload.document as Seen['document'] }),
    })
    return { message_id: id, date: 0, chat: { id: Number(payload.chat_id) }, text }
  }

  #react({ chat_id, message_id, reaction, ...rest }: Payload): true {
    this.#chat({ chat_id, ...rest })
    const [{ emoji }] = reaction as [{ emoji: string }]
    if (this.reactionsAreOff || !knownReactions.includes(emoji)) throw bad('REACTION_INVALID')
    this.reactions.push({ chat: Number(chat_id), message: message_id as number, emoji })
    return true
  }
}

/** Starts a fake Telegram for the running test. */
export async function startTelegram(): Promise<FakeTelegram> {
  const telegram = new FakeTelegram()
  onTestFinished(() => telegram.vanish())
  await telegram.listen()
  return telegram
}

class BotApiError extends Error {
  readonly code: number
  readonly parameters: object | undefined
  constructor(code: number, message: string, parameters?: object) {
    super(message)
    this.code = code
    this.parameters = parameters
  }
}

function bad(why: string): BotApiError {
  return new BotApiError(400, `Bad Request: ${why}`)
}

function refuse(response: ServerResponse, code: number, description: string, parameters?: object): void {
  response.statusCode = code
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ ok: false, error_code: code, description, ...(parameters && { parameters }) }))
}

function parse(source: string, mode: string | undefined): ReturnType<typeof parseEntities> {
  if (mode === undefined) return { text: source, entities: [] }
  if (mode !== 'HTML') throw bad('unsupported parse_mode')
  try {
    return parseEntities(source)
  } catch (error) {
    if (error instanceof ParseError) throw bad(`can't parse entities: ${error.message}`)
    throw error
  }
}

function buttonsOf({ reply_markup }: Payload): Seen['buttons'] {
  const rows =
    (reply_markup as { inline_keyboard?: { text: string; callback_data: string }[][] } | undefined)?.inline_keyboard ??
    []
  return rows.flat().map(({ text, callback_data }) => {
    const bytes = Buffer.byteLength(callback_data)
    if (bytes < 1 || bytes > 64) throw bad('BUTTON_DATA_INVALID')
    return { label: text, data: callback_data }
  })
}

/** Reads a payload: JSON, or a form with a file, whose JSON fields are parsed and whose `attach://` reference is replaced by the file. */
async function payloadOf(request: IncomingMessage): Promise<Payload> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const type = request.headers['content-type'] ?? ''
  const body = Buffer.concat(chunks)
  if (body.byteLength === 0) return {}
  if (!type.startsWith('multipart/')) return JSON.parse(body.toString('utf8')) as Payload
  const form = await new Response(body, { headers: { 'content-type': type } }).formData()
  const files = new Map<string, { name: string; content: string }>()
  const fields: [string, string][] = []
  for (const [name, value] of form) {
    if (typeof value === 'string') fields.push([name, value])
    else files.set(name, { name: value.name, content: await value.text() })
  }
  return Object.fromEntries(
    fields.map(([name, value]) => {
      if (value.startsWith('attach://')) return [name, files.get(value.slice(9))]
      if (name === 'text' || name === 'caption' || name === 'parse_mode') return [name, value]
      try {
        return [name, JSON.parse(value)]
      } catch {
        return [name, value]
      }
    }),
  )
}
