/**
 * Commands of the Telegram bridge. `chat`, `message`, `user` and `update` are Telegram's ids; `person` and `machine` the ids of members;
 * spans are in seconds and start at the entry's time.
 */
export type TelegramCommand =
  /** Stores updates before they are confirmed to Telegram. Ignores those that are stored already. */
  | { type: 'telegram.receive'; updates: TelegramUpdate[] }
  /** An update was handled; `sent` is the message that resulted from it. */
  | { type: 'telegram.handled'; update: number; sent?: string }
  /** Telegram accepted one part of messages to people. The last part acks them. */
  | { type: 'telegram.sent'; chat: number; message: number; part: number; parts: number; to: Carried[] }
  /**
   * Telegram accepted a notice about messages that are unread at a machine, or about messages of the hub there. Nothing up to `upTo` is
   * notified again.
   */
  | {
      type: 'telegram.told'
      of: 'mail' | 'hub'
      chat: number
      message: number
      machine: number
      ids: string[]
      upTo: number
    }
  /** Telegram accepted a message of the bot that shows these messages: a reply to it is related to them. */
  | { type: 'telegram.viewed'; chat: number; message: number; ids: string[] }
  /** The person's Telegram message now shows that it was acked. */
  | { type: 'telegram.shown'; chat: number; message: number }
  /** Telegram refuses this message for this person. */
  | { type: 'telegram.failed'; person: number; id: string; why: string }
  /** A user with the configured user name was seen in the group. */
  | { type: 'telegram.candidate'; person: number; user: number; name: string }
  /** The admin confirms the Telegram user of a person; null removes it. Refused unless this user was seen last. */
  | { type: 'telegram.confirm'; person: number; user: number | null }
  /** Sets whether the person gets messages in a private chat or in the group. */
  | { type: 'telegram.place'; person: number; isPrivate: boolean }
  /** Holds back messages of `sender` (0 for everyone) for `spanS`; 0 ends that. */
  | { type: 'telegram.mute'; person: number; sender: number; spanS: number }
  /**
   * Sets the time after which the owner is notified of messages that a machine leaves unread; null for the configured one, -1 for never.
   */
  | { type: 'telegram.follow'; machine: number; afterS: number | null }
  /** Sets whether the owner of a machine is notified of permission prompts that wait there. */
  | { type: 'telegram.prompts'; machine: number; areTold: boolean }
  /** The owner was notified of this prompt; `prompt` is the id that its session gave it. */
  | { type: 'telegram.prompted'; machine: number; prompt: string }
  | { type: 'telegram.move'; from: number; to: number }
  /** A question with buttons; `content` is the bridge's own JSON. */
  | { type: 'telegram.ask'; key: string; person: number; content: string; lifeS: number }

/** One update from a user who may write. `content` is the bridge's own JSON. */
export interface TelegramUpdate {
  update: number
  kind: 'message' | 'edit' | 'press'
  chat: number
  message: number
  content: string
}

/** Messages that one Telegram message carried to one person. */
export interface Carried {
  person: number
  ids: string[]
}

type None = Record<string, never>

export interface TelegramResults {
  'telegram.receive': None
  'telegram.handled': None
  'telegram.sent': None
  'telegram.told': None
  'telegram.viewed': None
  'telegram.shown': None
  'telegram.failed': None
  'telegram.candidate': None
  'telegram.confirm': { user: number | null }
  'telegram.place': None
  'telegram.mute': { until: number | null }
  'telegram.follow': None
  'telegram.prompts': None
  'telegram.prompted': None
  'telegram.move': None
  'telegram.ask': None
}
