import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { readSettings } from '../query/settings.ts'
import type { Database } from '../store/database.ts'

type Set = CommandOf<'settings.set'>

/** Changes what the command names; the rest stays. Answers all settings. */
export function applySettings(db: Database, { command }: Entry<Set>): Outcome<Set> {
  if (command.keepTextDays !== undefined) db.run('update setting set keep_text_days = ?', command.keepTextDays)
  return done<Set>(readSettings(db))
}
