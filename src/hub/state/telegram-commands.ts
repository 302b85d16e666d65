/**
 * What the Telegram bridge writes down. `chat`, `message`, `user` and `update` are Telegram's ids; `person` and `machine` the
 * ids of members; spans are in seconds and start at the entry's time.
 */
export type TelegramCommand =
  /** Notes updates down before they are confirmed to Telegram. One that was noted before is left alone. */
  | { type: 'telegram.receive'; updates: TelegramUpdate[] }
  /** An update was dealt with; `sent` is the message that came of it. */
  | { type: 'telegram.handled'; update: number; sent?: string }
  /** Telegram accepted a part of messages to people. The last part acks them. */
  | { type: 'telegram.sent'; chat: number; message: number; part: number; parts: number; to: Carried[] }
  /** Telegram accepted a notice of mail that lies with a machine, or of what the hub said there. Up to `upTo` it is not told again. */
  | {
      type: 'telegram.told'
      of: 'mail' | 'hub'
      chat: number
      message: number
      machine: number
      ids: string[]
      upTo: number
    }
  /** Telegram accepted an answer of the bot that shows these messages: a reply to it finds them. */
  | { type: 'telegram.viewed'; chat: number; message: number; ids: string[] }
  /** The person's message shows that it was acked. */
  | { type: 'telegram.shown'; chat: number; message: number }
  /** Telegram will not take this message for this person. */
  | { type: 'telegram.failed'; person: number; id: string; why: string }
  /** Somebody under the configured user name was seen in the group. */
  | { type: 'telegram.candidate'; person: number; user: number; name: string }
  /** The admin says who a person is on Telegram; null forgets it. Refused unless this very user was seen last. */
  | { type: 'telegram.confirm'; person: number; user: number | null }
  /** Where the person wants mail: in a private chat, or in the group. */
  | { type: 'telegram.place'; person: number; isPrivate: boolean }
  /** Holds mail of `sender` (0: everyone's) back for so long; 0 ends that. */
  | { type: 'telegram.mute'; person: number; sender: number; spanS: number }
  /** When the owner hears of mail that a machine leaves unread; null as configured, -1 never. */
  | { type: 'telegram.follow'; machine: number; afterS: number | null }
  /** Whether the owner of a machine hears of permission prompts that wait for them there. */
  | { type: 'telegram.prompts'; machine: number; areTold: boolean }
  /** The owner was told of this prompt; `prompt` is the id that its session gave it. */
  | { type: 'telegram.prompted'; machine: number; prompt: string }
  | { type: 'telegram.move'; from: number; to: number }
  /** A question with buttons; `content` is the bridge's own JSON. */
  | { type: 'telegram.ask'; key: string; person: number; content: string; lifeS: number }

/** One update from somebody who may write. `content` is the bridge's own JSON. */
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
