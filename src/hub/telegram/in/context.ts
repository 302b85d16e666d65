import type { TelegramSettings } from '../../config/telegram.ts'
import type { Hub } from '../../hub.ts'
import type { Audit } from '../../seeing/audit.ts'
import type { BridgeStatus } from '../bridge-status.ts'
import type { People, Person } from '../people.ts'

/** Dependencies of the bot's commands and replies. */
export interface Context {
  hub: Hub
  people: People
  settings: TelegramSettings
  status: BridgeStatus
  /** Returns the URL at which browsers reach the hub, as hub.json has it. */
  consoleUrl: () => string | undefined
  audit: Pick<Audit, 'add'>
  /** The bot's user id and name. */
  bot: { id: number; username: string }
}

/** A person's command or message while it is handled. */
export interface Received {
  person: Person
  isPrivate: boolean
  /** Id of the message that it becomes: random, so nobody else can have taken it. */
  id: string
  /** Appended to the text of that message: says that it had an attachment. */
  note?: string
  /** Telegram's ids of the person's message. */
  chat: number
  message: number
  /** Time at which it was stored, in ms since 1970. */
  at: number
}
