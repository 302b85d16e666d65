import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'
import type { ReactionTypeEmoji, Update, User } from 'grammy/types'
import { Api, InputFile } from 'grammy/web'
import { failureOf, TelegramFailure } from './failure.ts'
import type { Html } from './html.ts'

/** One Telegram message as we send it. */
export interface Post {
  text: Html
  /** Without sound. */
  isSilent?: boolean
  /** The message of the same chat that this answers. One that is gone does not matter. */
  replyTo?: number
  /** Sent as a file, with the text as its caption. */
  document?: { name: string; content: string }
  /** Rows of one button each; `data` has 64 bytes at most. */
  buttons?: { label: string; data: string }[]
}

/**
 * How long an address of Telegram may take to answer, in ms, before the next is tried instead: `fetch` gives each up after Node's
 * default of 250, too soon for a line on which a first packet was lost (it is sent again after 1 and 3 s).
 */
const handshakeMs = 4000
setDefaultAutoSelectFamilyAttemptTimeout(handshakeMs)

/** What we want to hear of; Telegram remembers the list (core.telegram.org/bots/api#getupdates). */
const allowedUpdates = ['message', 'edited_message', 'callback_query', 'my_chat_member'] as const

export interface BotOptions {
  apiRoot: string
  /** Most time of one request, in ms. */
  requestMs: number
  /** How long Telegram may keep a request for updates open, in seconds. */
  pollS: number
  /** Whether the hub still acts for all of its history; otherwise nothing is asked of Telegram. Asked before each call. */
  mayCall?: () => boolean
}

/** The bot's calls, each with a deadline, and every failure as a `TelegramFailure`. Nothing is tried again here: the queues do that. */
export class Bot {
  /** The number before the colon: the bot's own user id. */
  readonly id: string
  readonly #api: Api
  readonly #polling: Api
  readonly #pollS: number
  readonly #mayCall: () => boolean

  constructor(token: string, { apiRoot, requestMs, pollS, mayCall = () => true }: BotOptions) {
    this.id = token.split(':')[0]!
    this.#pollS = pollS
    this.#mayCall = mayCall
    this.#api = new Api(token, { apiRoot, timeoutSeconds: requestMs / 1000 })
    this.#polling = new Api(token, { apiRoot, timeoutSeconds: pollS + requestMs / 1000 })
  }

  me(signal?: AbortSignal) {
    return this.#call('getMe', signal, (api, stop) => api.getMe(stop))
  }

  webhook(signal?: AbortSignal) {
    return this.#call('getWebhookInfo', signal, (api, stop) => api.getWebhookInfo(stop))
  }

  chat(chat: number, signal?: AbortSignal) {
    return this.#call('getChat', signal, (api, stop) => api.getChat(chat, stop))
  }

  /** Shows for some seconds that the bot is typing: what a chat refuses that the bot may not write to, without writing there. */
  typing(chat: number, signal?: AbortSignal) {
    return this.#call('sendChatAction', signal, (api, stop) => api.sendChatAction(chat, 'typing', {}, stop))
  }

  memberOf(chat: number, user: number, signal?: AbortSignal) {
    return this.#call('getChatMember', signal, (api, stop) => api.getChatMember(chat, user, stop))
  }

  setCommands(commands: { command: string; description: string }[], signal: AbortSignal) {
    return this.#call('setMyCommands', signal, (api, stop) => api.setMyCommands(commands, {}, stop))
  }

  /** Updates from `offset` on, or the oldest that is not confirmed; waits for the first as long as `pollS` says. */
  async updates(offset: number | undefined, signal: AbortSignal): Promise<Update[]> {
    const options = { offset, timeout: this.#pollS, limit: 100, allowed_updates: allowedUpdates }
    try {
      this.#expectDuty()
      const updates = await this.#polling.getUpdates(options, signal as never)
      // What came for a hub that was stopped meanwhile is not confirmed: it is for the one that has the duty now.
      this.#expectDuty()
      return updates
    } catch (error) {
      throw failureOf(error, 'getUpdates')
    }
  }

  /** Sends `post` and answers the id of the message. `isPlain` leaves its formatting out, `isLoose` what it answers, and so its topic. */
  async send(
    chat: number,
    post: Post,
    signal: AbortSignal,
    { isPlain = false, isLoose = false }: { isPlain?: boolean; isLoose?: boolean } = {},
  ): Promise<number> {
    const formatting = isPlain ? {} : { parse_mode: 'HTML' as const }
    const text = isPlain ? post.text.plain : post.text.source
    const options = {
      ...formatting,
      disable_notification: post.isSilent ?? false,
      ...(post.replyTo !== undefined &&
        !isLoose && {
          reply_parameters: { message_id: post.replyTo, allow_sending_without_reply: true },
        }),
      ...(post.buttons && {
        reply_markup: {
          inline_keyboard: post.buttons.map(({ label, data }) => [{ text: label, callback_data: data }]),
        },
      }),
    }
    const { document } = post
    const sent = await this.#call<{ message_id: number }>(
      document ? 'sendDocument' : 'sendMessage',
      signal,
      (api, stop) =>
        document
          ? api.sendDocument(
              chat,
              new InputFile(Buffer.from(document.content), document.name),
              { ...options, caption: text },
              stop,
            )
          : // A preview would tell Telegram's servers, and through them the site, of every address that a machine writes.
            api.sendMessage(chat, text, { ...options, link_preview_options: { is_disabled: true } }, stop),
    )
    return sent.message_id
  }

  react(chat: number, message: number, emoji: ReactionTypeEmoji['emoji'], signal: AbortSignal): Promise<true> {
    return this.#call('setMessageReaction', signal, (api, stop) =>
      api.setMessageReaction(chat, message, [{ type: 'emoji', emoji }], {}, stop),
    )
  }

  /** Ends the waiting sign on a pressed button, with a word to whoever pressed it (200 characters at most). */
  answerPress(press: string, text: string, signal: AbortSignal): Promise<true> {
    return this.#call('answerCallbackQuery', signal, (api, stop) =>
      api.answerCallbackQuery(press, { text: text.slice(0, 200) }, stop),
    )
  }

  #expectDuty(): void {
    if (!this.#mayCall())
      throw new TelegramFailure('unreachable', 'another hub of this history carries mail to Telegram')
  }

  // grammY's types name the AbortSignal of its polyfill; it takes Node's.
  async #call<T>(
    method: string,
    signal: AbortSignal | undefined,
    call: (api: Api, stop: never) => Promise<T>,
  ): Promise<T> {
    try {
      this.#expectDuty()
      return await call(this.#api, signal as never)
    } catch (error) {
      throw failureOf(error, method)
    }
  }
}

export type Emoji = ReactionTypeEmoji['emoji']
export type { Update, User }
