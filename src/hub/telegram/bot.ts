import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'
import type { ReactionTypeEmoji, Update, User } from 'grammy/types'
import { Api, InputFile } from 'grammy/web'
import { failureOf, TelegramFailure } from './failure.ts'
import type { Html } from './html.ts'

/** A Telegram message to send. */
export interface Post {
  text: Html
  /** Delivered without a sound. */
  isSilent?: boolean
  /** Id of the message of the same chat that this replies to. It is sent even if that one has been deleted. */
  replyTo?: number
  /** File to send, with the text as its caption. */
  document?: { name: string; content: string }
  /** Rows of one button each; `data` is 64 bytes at most. */
  buttons?: { label: string; data: string }[]
}

/**
 * Time that one address of Telegram may take to connect before the next one is tried, in ms. `fetch` gives each up after Node's default of
 * 250 ms: too soon on a line that lost the first packet, which is retransmitted after 1 and 3 s.
 */
const handshakeMs = 4000
setDefaultAutoSelectFamilyAttemptTimeout(handshakeMs)

/** Kinds of updates that the bot receives; Telegram stores the list (core.telegram.org/bots/api#getupdates). */
const allowedUpdates = ['message', 'edited_message', 'callback_query', 'my_chat_member'] as const

export interface BotOptions {
  apiRoot: string
  /** Timeout of one request, in ms. */
  requestMs: number
  /** Time for which Telegram may hold a request for updates open, in seconds. */
  pollS: number
  /** Reports whether this hub may call Telegram: false while another hub of the same history does. Checked before each call. */
  mayCall?: () => boolean
}

/** Calls of the Bot API, each with a timeout; every failure is thrown as a `TelegramFailure`. Never retries: the queues do. */
export class Bot {
  /** The bot's own user id: the number before the colon of its token. */
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

  /** Shows for some seconds that the bot is typing. Fails where the bot may not write, so it tests that without writing. */
  typing(chat: number, signal?: AbortSignal) {
    return this.#call('sendChatAction', signal, (api, stop) => api.sendChatAction(chat, 'typing', {}, stop))
  }

  memberOf(chat: number, user: number, signal?: AbortSignal) {
    return this.#call('getChatMember', signal, (api, stop) => api.getChatMember(chat, user, stop))
  }

  setCommands(commands: { command: string; description: string }[], signal: AbortSignal) {
    return this.#call('setMyCommands', signal, (api, stop) => api.setMyCommands(commands, {}, stop))
  }

  /** Returns the updates from `offset` on, or from the oldest unconfirmed one; waits for the first for `pollS` at most. */
  async updates(offset: number | undefined, signal: AbortSignal): Promise<Update[]> {
    const options = { offset, timeout: this.#pollS, limit: 100, allowed_updates: allowedUpdates }
    try {
      this.#expectDuty()
      const updates = await this.#polling.getUpdates(options, signal as never)
      // Another hub has taken over meanwhile: these stay unconfirmed, so it receives them.
      this.#expectDuty()
      return updates
    } catch (error) {
      throw failureOf(error, 'getUpdates')
    }
  }

  /**
   * Sends `post` and returns the id of the message. `isPlain` omits its formatting, `isLoose` the message that it replies to and so its
   * topic.
   */
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
          : // No previews: Telegram's servers would fetch every link that a machine writes, and so disclose it to them and to the site.
            api.sendMessage(chat, text, { ...options, link_preview_options: { is_disabled: true } }, stop),
    )
    return sent.message_id
  }

  react(chat: number, message: number, emoji: ReactionTypeEmoji['emoji'], signal: AbortSignal): Promise<true> {
    return this.#call('setMessageReaction', signal, (api, stop) =>
      api.setMessageReaction(chat, message, [{ type: 'emoji', emoji }], {}, stop),
    )
  }

  /** Ends the progress bar of a pressed button, and shows `text` (200 characters at most) to the person who pressed it. */
  answerPress(press: string, text: string, signal: AbortSignal): Promise<true> {
    return this.#call('answerCallbackQuery', signal, (api, stop) =>
      api.answerCallbackQuery(press, { text: text.slice(0, 200) }, stop),
    )
  }

  #expectDuty(): void {
    if (!this.#mayCall())
      throw new TelegramFailure('unreachable', 'another hub of this history runs the bridge to Telegram')
  }

  // grammY's types name the AbortSignal of its polyfill; it accepts Node's.
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
