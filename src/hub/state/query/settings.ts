import type { InboxSettings } from '../commands.ts'
import type { Database } from '../store/database.ts'

/** Returns the admin's settings, or the defaults. */
export function readSettings(db: Database): InboxSettings {
  return db.get<InboxSettings>(
    `select keep_text_days as keepTextDays, inbox_messages as inboxMessages, inbox_bytes as inboxBytes,
       sender_percent as senderPercent, reserve_percent as reservePercent from setting`,
  )!
}

/** Returns the life of members' tokens, in days; 0 for no limit. */
export function tokenDays(db: Database): number {
  return db.get<{ days: number }>('select token_days as days from setting')!.days
}
