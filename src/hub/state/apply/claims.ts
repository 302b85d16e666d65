import { type CommandOf, type DatedEntry, done, type Outcome } from '../commands.ts'
import { claimOf } from '../query/claims.ts'
import type { Database } from '../store/database.ts'

type Claim = CommandOf<'door.claim'>

/**
 * Makes, renews or ends the claim of a hub to act for all. A claim counts only if it names the one in force as the one that it replaces, so
 * that of several concurrent ones the first counts. No clock decides here: each hub judges by its own when a claim has expired.
 */
export function applyClaim(db: Database, { seq, command }: DatedEntry<Claim>): Outcome<Claim> {
  const { hub, run, replaces, ends = false } = command
  if ((claimOf(db)?.seq ?? 0) !== replaces) return done<Claim>({ counts: false })
  db.run(
    'insert or replace into claim (only_row, hub, run, seq, ended) values (1, ?, ?, ?, ?)',
    ...[hub, run, seq, ends ? 1 : 0],
  )
  return done<Claim>({ counts: true })
}
