import type { TelegramCheck, TelegramStatus } from '../protocol/telegram.ts'

/** The admin's operations on the Telegram bridge. */
export interface TelegramAdmin {
  status(): TelegramStatus
  /** Checks the bot and its group with Telegram. Takes as long as Telegram does. */
  check(): Promise<TelegramCheck[]>
  /** Sets the Telegram user of a human; null removes it. Throws `not_found` for a name that is not in `telegram.humans` of hub.json. */
  confirm(name: string, userId: number | null): Promise<{ name: string; userId: number | null }>
}
