import type { Message } from 'grammy/types'
import { newMessageId } from '../../protocol/ids.ts'
import type { TelegramUpdate } from '../state/telegram-commands.ts'
import type { Update } from './bot.ts'
import type { People, Person } from './people.ts'

/** What somebody who may write has written; kept as JSON until it is dealt with. */
export interface Incoming {
  /** The id of the message that may come of it. Absent in what hubs up to 0.1.0 wrote down. */
  id?: string
  /** Member id. */
  person: number
  /** Undefined for a picture, a voice message or whatever else is no text. */
  text?: string
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
  | { is: 'taken'; update: TelegramUpdate }
  | { is: 'ignored' }
  | { is: 'refused'; why: string; user: number | undefined }
  | { is: 'candidate'; person: Person; user: number; name: string; chat: number; message: number }
  | { is: 'moved'; from: number; to: number }

/**
 * Stand-ins that many may speak through: anonymous admins of a group, the service account of linked channels, and the one of
 * channels that comment.
 */
const nobodys = new Set([1087968824, 777000, 136817688])

export interface Room {
  people: People
  /** The bot's user id and name. */
  bot: { id: number; username: string }
}

/** Says what becomes of `update`, by numeric ids alone. Whoever is not taken gets no answer, so that a stranger learns nothing. */
export function verdictOn(update: Update, room: Room): Verdict {
  if (update.callback_query) return pressed(update, room)
  const message = update.message ?? update.edited_message
  if (!message) return { is: 'ignored' }
  if (message.migrate_to_chat_id !== undefined) {
    return moved(room, message.chat.id, message.migrate_to_chat_id)
  }
  if (message.migrate_from_chat_id !== undefined) {
    return moved(room, message.migrate_from_chat_id, message.chat.id)
  }
  const isGroup = message.chat.id === room.people.group
  const isPrivate = message.chat.type === 'private' && message.chat.id === message.from?.id
  const replied = message.reply_to_message
  const isToUs = isPrivate || replied?.from?.id === room.bot.id || isAddressed(message, room.bot.username)
  const user = message.from?.id
  const refused = (why: string): Verdict => ({ is: 'refused', why, user })
  if (!isGroup && !isPrivate) return isToUs ? refused('other-chat') : { is: 'ignored' }
  // What members of the group say to each other is not for us, even where the bot is let to hear it.
  if (!isToUs) return { is: 'ignored' }
  if (message.sender_chat !== undefined || user === undefined || nobodys.has(user)) return refused('not-a-person')
  if (message.from!.is_bot || message.via_bot !== undefined) return refused('bot')
  const person = room.people.byUser(user)
  if (!person) return unknown(message, isGroup, room) ?? refused('unknown-user')
  if (message.forward_origin !== undefined) return refused('forwarded')
  const content: Incoming = {
    id: newMessageId(),
    person: person.member,
    ...(message.text !== undefined && { text: message.text }),
    ...(replied && replied.from?.id === room.bot.id && { replyTo: replied.message_id }),
    ...(replied && replied.from?.id !== room.bot.id && { replyTo: replied.message_id, repliesToOthers: true }),
    isPrivate,
  }
  return {
    is: 'taken',
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
function unknown(message: Message, isGroup: boolean, { people }: Room): Verdict | undefined {
  const { id: user, username, first_name, last_name } = message.from!
  const person = isGroup ? people.byUserName(username) : undefined
  if (!person) return undefined
  if (people.userOf(person) !== undefined) return { is: 'refused', why: 'user-name-of-another', user }
  const name = `${[first_name, last_name].filter(Boolean).join(' ')} (@${username})`
  return { is: 'candidate', person, user, name, chat: message.chat.id, message: message.message_id }
}

function pressed(update: Update, { people }: Room): Verdict {
  const { id, from, data, message } = update.callback_query!
  const person = people.byUser(from.id)
  const isOurs = message !== undefined && (message.chat.id === people.group || message.chat.id === from.id)
  if (!person || !isOurs || from.is_bot) return { is: 'refused', why: 'unknown-user', user: from.id }
  const content: Incoming = {
    id: newMessageId(),
    person: person.member,
    isPrivate: message.chat.type === 'private',
    press: { id, data: data ?? '' },
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

function moved({ people }: Room, from: number, to: number): Verdict {
  if (to === people.group) return { is: 'ignored' }
  return from === people.group
    ? { is: 'moved', from, to }
    : { is: 'refused', why: 'move-of-another-chat', user: undefined }
}

/** Whether a message is a command, for this bot or for any, or begins with the bot's name. */
function isAddressed({ text = '', caption = '' }: Message, username: string): boolean {
  const [, command, to] = /^\/(\w+)(?:@(\w+))?/.exec(text || caption) ?? []
  if (command !== undefined) return to === undefined || to.toLowerCase() === username.toLowerCase()
  return text.toLowerCase().startsWith(`@${username.toLowerCase()} `)
}
