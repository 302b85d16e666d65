import type { Hub } from '../../hub.ts'
import type { Audit } from '../../seeing/audit.ts'
import type { TelegramSettings } from '../../telegram-settings.ts'
import type { BridgeStatus } from '../bridge-status.ts'
import type { People, Person } from '../people.ts'

/** What answering a person takes. */
export interface Context {
  hub: Hub
  people: People
  settings: TelegramSettings
  status: BridgeStatus
  /** At which address people reach the hub with a browser, as hub.json says. */
  consoleUrl: () => string | undefined
  audit: Pick<Audit, 'add'>
  /** The bot's user id and name. */
  bot: { id: number; username: string }
}

/** A command or message in the hands of whoever deals with it. */
export interface Received {
  person: Person
  isPrivate: boolean
  /** The id that a message of ours has which comes of it: random, so that nobody else can have bound it. */
  id: string
  /** What stands behind the text of a message that comes of it: that there was more than text. */
  note?: string
  /** Telegram's ids of the person's message. */
  chat: number
  message: number
  /** Ms since 1970, of when it was written down. */
  at: number
}
