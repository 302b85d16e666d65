import type { Database } from '../store/database.ts'

/** An inbox, and the part of its room that is taken, up to 1. */
export interface FilledInbox {
  name: string
  unread: number
  used: number
}

/** Returns the inboxes that are filled to at least `least` (from 0 to 1), by messages or by bytes, the fullest first. */
export function fullestInboxes(db: Database, least: number): FilledInbox[] {
  return db.all<FilledInbox>(
    `select name, unread, max(unread * 1.0 / inbox_messages, unread_bytes * 1.0 / inbox_bytes) as used
     from member, setting where deleted_at is null and used >= ? order by used desc, name`,
    least,
  )
}
