import type { TelegramCheck, TelegramStatus } from '../protocol/telegram.ts'

/** What the admin may ask of the Telegram bridge, whichever door they come through. */
export interface TelegramAdmin {
  status(): TelegramStatus
  /** Asks Telegram about the bot and its group. Takes as long as Telegram does. */
  check(): Promise<TelegramCheck[]>
  /** Says which Telegram user a human is; null forgets it. Throws `not_found` for a name that hub.json does not have there. */
  confirm(name: string, userId: number | null): Promise<{ name: string; userId: number | null }>
}
