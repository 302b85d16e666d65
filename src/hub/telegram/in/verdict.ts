import type { Message } from 'grammy/types'
import { newMessageId } from '../../../protocol/ids.ts'
import type { TelegramUpdate } from '../../state/telegram-commands.ts'
import type { Update } from '../bot.ts'
import type { People, Person } from '../people.ts'
import { mentionIn } from './addressed.ts'

/** What somebody who may write has written; kept as JSON until it is dealt with. */
export interface Incoming {
  /** The id of the message that may come of it. Absent in what hubs up to 0.1.0 wrote down. */
  id?: string
  /** Member id. */
  person: number
  /** What was typed, also below a picture. Undefined for a picture alone, a voice message or whatever else is no text. */
  text?: string
  /** Set when there is more than text, in a word: `photo`, `voice message`. */
  attached?: string
  /** Not their own words. */
  isForwarded?: true
  /** Our message that this replies to. */
  replyTo?: number
  /** Whether it replies to a message of somebody else's. */
  repliesToOthers?: boolean
  isPrivate: boolean
  /** A pressed button: what to answer it by, and what stands behind it. */
  press?: { id: string; data: string }
}

/** What becomes of an update: it is taken, it is no business of ours, its sender may not write, or it tells of a chat. */
export type Verdict =
  | { is: 'taken'; update: TelegramUpdate; note?: { user: number; why: string } }
  | { is: 'ignored' }
  | { is: 'refused'; why: string; user: number | undefined }
  | { is: 'candidate'; person: Person; user: number; name: string; chat: number; message: number }
  | { is: 'moved'; from: number; to: number }

/**
 * Stand-ins that many may speak through: anonymous admins of a group, the service account of linked channels, and the one of
 * channels that comment.
 */
const standIns = new Set([1087968824, 777000, 136817688])

export interface FilterContext {
  people: People
  /** The bot's user id and name. */
  bot: { id: number; username: string }
}

/** Says what becomes of `update`, by numeric ids alone. Whoever is not taken gets no answer, so that a stranger learns nothing. */
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
  // In a topic whatever answers nothing answers the message that began the topic, which may have been the bot's.
  const replied = message.reply_to_message?.forum_topic_created ? undefined : message.reply_to_message
  const isToUs = isPrivate || replied?.from?.id === context.bot.id || isAddressed(message, context.bot)
  const user = message.from?.id
  const refused = (why: string): Verdict => ({ is: 'refused', why, user })
  if (!isGroup && !isPrivate) return isToUs ? refused('other-chat') : { is: 'ignored' }
  // What members of the group say to each other is not for us, even where the bot is let to hear it.
  if (!isToUs) return { is: 'ignored' }
  if (message.sender_chat !== undefined || user === undefined || standIns.has(user)) return refused('not-a-person')
  if (message.from!.is_bot || message.via_bot !== undefined) return refused('bot')
  const person = context.people.byUser(user)
  if (!person) return unknown(message, isGroup, context) ?? refused('unknown-user')
  // A server of the Bot API before 7.0 has the older field.
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

/** A user name of hub.json that no id is known for: an admin may confirm who carries it. Only in the group, where people know each other. */
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

/** What was typed, in a message of its own or below what is attached. */
function textOf({ text, caption }: Message): string | undefined {
  const typed: unknown = text ?? caption
  return typeof typed === 'string' ? typed : undefined
}

/** Whether a message is a command, for this bot or for any, or names the bot anywhere. */
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

/** Kinds of messages beside text (core.telegram.org/bots/api#message), each in a word. An animation is a document too: the first counts. */
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

/** What Telegram itself says in a chat: that somebody came, a message was pinned, a topic was closed. Nobody wrote it. */
const service =
  /^(new_chat_|left_chat_|delete_chat_|group_chat_created|supergroup_chat_created|channel_chat_created|message_auto_delete|pinned_message|(general_)?forum_topic_|video_chat_|boost_added|chat_background|giveaway_c|users_shared|chat_shared|write_access|proximity_alert|connected_website|successful_payment|refunded_payment|web_app_data|passport_data)/

function isService(message: Message): boolean {
  return textOf(message) === undefined && Object.keys(message).some(key => service.test(key))
}
