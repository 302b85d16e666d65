import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { readSettings } from '../query/settings.ts'
import type { Database } from '../store/database.ts'

type Set = CommandOf<'settings.set'>

/** The column of each setting. */
const columns = [
  ['keepTextDays', 'keep_text_days'],
  ['inboxMessages', 'inbox_messages'],
  ['inboxBytes', 'inbox_bytes'],
  ['senderPercent', 'sender_percent'],
  ['reservePercent', 'reserve_percent'],
] as const

/** Changes the settings that the command names; returns all settings. */
export function applySettings(db: Database, { command }: Entry<Set>): Outcome<Set> {
  for (const [field, column] of columns) {
    const value = command[field]
    if (value !== undefined) db.run(`update setting set ${column} = ?`, value)
  }
  return done<Set>(readSettings(db))
}
