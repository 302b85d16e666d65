import type { Message } from 'grammy/types'
import { newMessageId } from '../../../protocol/ids.ts'
import type { TelegramUpdate } from '../../state/telegram-commands.ts'
import type { Update } from '../bot.ts'
import type { People, Person } from '../people.ts'
import { mentionIn } from './addressed.ts'

/** An accepted update; stored as JSON until it is handled. */
export interface Incoming {
  /** Id of the message that it may become. Absent in updates stored by hubs up to 0.1.0. */
  id?: string
  /** Member id. */
  person: number
  /** Typed text, also the caption of an attachment. Undefined for a picture alone, a voice message or anything else without text. */
  text?: string
  /** Kind of the attachment, if there is one: `photo`, `voice message`. */
  attached?: string
  /** Set for a forwarded message. */
  isForwarded?: true
  /** Id of the Telegram message that it replies to. */
  replyTo?: number
  /** Set when that message is not the bot's. */
  repliesToOthers?: boolean
  isPrivate: boolean
  /** The pressed button: Telegram's id of the press, and the button's data. */
  press?: { id: string; data: string }
}

/** Decision on an update: accept it, ignore it, refuse its sender, note a candidate for a person, or follow the group to a new id. */
export type Verdict =
  | { is: 'taken'; update: TelegramUpdate; note?: { user: number; why: string } }
  | { is: 'ignored' }
  | { is: 'refused'; why: string; user: number | undefined }
  | { is: 'candidate'; person: Person; user: number; name: string; chat: number; message: number }
  | { is: 'moved'; from: number; to: number }

/**
 * Users that several people may write as: the anonymous admins of a group, the service account of linked channels, and that of channels
 * that comment.
 */
const standIns = new Set([1087968824, 777000, 136817688])

export interface FilterContext {
  people: People
  /** The bot's user id and name. */
  bot: { id: number; username: string }
}

/** Decides on `update`, by numeric ids only. A refused sender gets no reply, so strangers learn nothing. */
export function verdictOn(update: Update, context: FilterContext): Verdict {
  if (update.callback_query) return pressed(update, context)
  const message = update.message ?? update.edited_message
  if (!message) return { is: 'ignored' }
  if (message.migrate_to_chat_id !== undefined) {
    return moved(context, message.chat.id, message.migrate_to_chat_id)
  }
  if (message.migrate_from_chat_id !== undefined) {
    return moved(context, message.migrate_from_chat_id, message.chat.id)
  }
  const isGroup = message.chat.id === context.people.group
  const isPrivate = message.chat.type === 'private' && message.chat.id === message.from?.id
  if (isService(message)) return { is: 'ignored' }
  // In a topic, a message that replies to nothing counts as a reply to the one that opened the topic, possibly the bot's.
  const replied = message.reply_to_message?.forum_topic_created ? undefined : message.reply_to_message
  const isToUs = isPrivate || replied?.from?.id === context.bot.id || isAddressed(message, context.bot)
  const user = message.from?.id
  const refused = (why: string): Verdict => ({ is: 'refused', why, user })
  if (!isGroup && !isPrivate) return isToUs ? refused('other-chat') : { is: 'ignored' }
  // Messages between members of the group are ignored, even where the bot receives them.
  if (!isToUs) return { is: 'ignored' }
  if (message.sender_chat !== undefined || user === undefined || standIns.has(user)) return refused('not-a-person')
  if (message.from!.is_bot || message.via_bot !== undefined) return refused('bot')
  const person = context.people.byUser(user)
  if (!person) return unknown(message, isGroup, context) ?? refused('unknown-user')
  // Servers of the Bot API before 7.0 send the older field.
  const isForwarded = message.forward_origin !== undefined || 'forward_date' in message
  const text = textOf(message)
  const attached = attachedTo(message)
  const content: Incoming = {
    id: newMessageId(),
    person: person.member,
    ...(text !== undefined && { text }),
    ...(attached !== undefined && { attached }),
    ...(isForwarded && { isForwarded }),
    ...(replied && replied.from?.id === context.bot.id && { replyTo: replied.message_id }),
    ...(replied && replied.from?.id !== context.bot.id && { replyTo: replied.message_id, repliesToOthers: true }),
    isPrivate,
  }
  return {
    is: 'taken',
    ...(isForwarded && { note: { user, why: 'forwarded' } }),
    update: {
      update: update.update_id,
      kind: update.message ? 'message' : 'edit',
      chat: message.chat.id,
      message: message.message_id,
      content: JSON.stringify(content),
    },
  }
}

/**
 * Returns the person with this user name if no id is known for them: an admin may confirm it. Only in the group, where people know each
 * other.
 */
function unknown(message: Message, isGroup: boolean, { people }: FilterContext): Verdict | undefined {
  const { id: user, username, first_name, last_name } = message.from!
  const person = isGroup ? people.byUserName(username) : undefined
  if (!person) return undefined
  if (people.userOf(person) !== undefined) return { is: 'refused', why: 'user-name-of-another', user }
  const name = `${[first_name, last_name].filter(Boolean).join(' ')} (@${username})`
  return { is: 'candidate', person, user, name, chat: message.chat.id, message: message.message_id }
}

function pressed(update: Update, { people }: FilterContext): Verdict {
  const { id, from, data, message } = update.callback_query!
  const person = people.byUser(from.id)
  const isOurs = message !== undefined && (message.chat.id === people.group || message.chat.id === from.id)
  if (!person || !isOurs || from.is_bot) return { is: 'refused', why: 'unknown-user', user: from.id }
  const content: Incoming = {
    id: newMessageId(),
    person: person.member,
    isPrivate: message.chat.type === 'private',
    press: { id: String(id), data: typeof data === 'string' ? data : '' },
  }
  const { chat, message_id } = message
  return {
    is: 'taken',
    update: {
      update: update.update_id,
      kind: 'press',
      chat: chat.id,
      message: message_id,
      content: JSON.stringify(content),
    },
  }
}

function moved({ people }: FilterContext, from: number, to: number): Verdict {
  if (to === people.group) return { is: 'ignored' }
  return from === people.group
    ? { is: 'moved', from, to }
    : { is: 'refused', why: 'move-of-another-chat', user: undefined }
}

/** Returns the text of a message, or the caption of its attachment. */
function textOf({ text, caption }: Message): string | undefined {
  const typed: unknown = text ?? caption
  return typeof typed === 'string' ? typed : undefined
}

/** Reports whether a message is a command, for this bot or for any, or mentions the bot. */
function isAddressed(message: Message, { id, username }: FilterContext['bot']): boolean {
  const text = textOf(message) ?? ''
  const [, command, to] = /^\/(\w+)(?:@(\w+))?/.exec(text) ?? []
  if (command !== undefined) return to === undefined || to.toLowerCase() === username.toLowerCase()
  const entities = message.entities ?? message.caption_entities ?? []
  return (
    mentionIn(text, username) !== undefined ||
    entities.some(entity => entity.type === 'text_mention' && entity.user.id === id)
  )
}

/** Names of the kinds of attachments (core.telegram.org/bots/api#message). An animation is a document too: the first match counts. */
const kinds: Record<string, string> = {
  photo: 'photo',
  animation: 'animation',
  video: 'video',
  video_note: 'video message',
  voice: 'voice message',
  audio: 'audio file',
  document: 'file',
  sticker: 'sticker',
  contact: 'contact',
  location: 'location',
  poll: 'poll',
}

function attachedTo(message: Message): string | undefined {
  const kind = Object.keys(kinds).find(kind => kind in message)
  return kind && kinds[kind]
}

/** Fields of service messages, which nobody wrote: somebody joined, a message was pinned, a topic was closed. */
const service =
  /^(new_chat_|left_chat_|delete_chat_|group_chat_created|supergroup_chat_created|channel_chat_created|message_auto_delete|pinned_message|(general_)?forum_topic_|video_chat_|boost_added|chat_background|giveaway_c|users_shared|chat_shared|write_access|proximity_alert|connected_website|successful_payment|refunded_payment|web_app_data|passport_data)/

function isService(message: Message): boolean {
  return textOf(message) === undefined && Object.keys(message).some(key => service.test(key))
}
