import type { Settings } from '../../../protocol/settings.ts'
import type { Database } from '../store/database.ts'

/** What the admin has set, or the defaults. */
export function readSettings(db: Database): Settings {
  return db.get<Settings>(
    `select keep_text_days as keepTextDays, inbox_messages as inboxMessages, inbox_bytes as inboxBytes,
       sender_percent as senderPercent, reserve_percent as reservePercent from setting`,
  )!
}
