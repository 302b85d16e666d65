import { ClaudeNetError } from '../../../protocol/errors.ts'
import { type UpgradeBackup, upgradeBackups } from './backup-names.ts'
import type { Database } from './database.ts'
import { sql as inboxes } from './migrations/0001-inboxes.ts'
import { sql as names } from './migrations/0002-names.ts'
import { sql as history } from './migrations/0003-history.ts'
import { sql as policy } from './migrations/0004-policy.ts'
import { sql as inboxOrder } from './migrations/0005-inbox-order.ts'
import { sql as brake } from './migrations/0006-brake.ts'
import { sql as keeping } from './migrations/0007-keeping.ts'
import { sql as answers } from './migrations/0008-answers.ts'
import { sql as telegram } from './migrations/0009-telegram.ts'
import { sql as steadyTime } from './migrations/0010-steady-time.ts'
import { sql as pastEpochs } from './migrations/0011-past-epochs.ts'
import { sql as words } from './migrations/0012-words.ts'
import { sql as inboxShare } from './migrations/0013-inbox-share.ts'
import { sql as logPosition } from './migrations/0014-log-position.ts'
import { sql as ownAdminToken } from './migrations/0015-own-admin-token.ts'
import { sql as tokenLife } from './migrations/0016-token-life.ts'
import { sql as receipts } from './migrations/0017-receipts.ts'
import { sql as later } from './migrations/0018-later.ts'
import { sql as projects } from './migrations/0019-projects.ts'
import { sql as prompts } from './migrations/0020-prompts.ts'
import { sql as console } from './migrations/0021-console.ts'
import { sql as webhooks } from './migrations/0022-webhooks.ts'
import { sql as outgoing } from './migrations/0023-outgoing.ts'
import { sql as conversations } from './migrations/0024-conversations.ts'
import { sql as claims } from './migrations/0025-claims.ts'
import { sql as hubs } from './migrations/0026-hubs.ts'
import { sql as ownLog } from './migrations/0027-own-log.ts'

/** All steps of the schema, oldest first. A released step is never changed: add one instead. */
export const schemaSteps: readonly string[] = [
  inboxes,
  names,
  history,
  policy,
  inboxOrder,
  brake,
  keeping,
  answers,
  telegram,
  steadyTime,
  pastEpochs,
  words,
  inboxShare,
  logPosition,
  ownAdminToken,
  tokenLife,
  receipts,
  later,
  projects,
  prompts,
  console,
  webhooks,
  outgoing,
  conversations,
  claims,
  hubs,
  ownLog,
]

/** The schema that this program writes. */
export const newestSchema = schemaSteps.length

export interface MigrateOptions {
  /** Directory of the backups, one of which a refusal may suggest to restore. */
  backupDir: string
  /** Called with the schema found before a database with content is changed. A throw ends the migration. */
  backup: (schema: number) => void
  /** Last step to run, for tests that make an old database. */
  newestStep?: number
}

/**
 * Upgrades the schema to this program's version, all steps in one transaction, so that a kill leaves the old schema or the new one. Throws
 * on a file from a newer program.
 */
export function migrate(db: Database, { backupDir, backup, newestStep = newestSchema }: MigrateOptions): void {
  const { user_version: found } = db.get<{ user_version: number }>('pragma user_version')!
  if (found > newestSchema) throw writtenByNewer(found, upgradeBackups(backupDir))
  if (found >= newestStep) return
  if (found > 0) backup(found)
  db.transaction(() => {
    for (let step = found; step < newestStep; step++) db.execute(schemaSteps[step]!)
    db.execute(`pragma user_version = ${newestStep}`)
  })
}

/** Returns the error for a newer schema. Undoing an upgrade loses everything after it, so the hint names the backup from before it. */
function writtenByNewer(found: number, backups: UpgradeBackup[]): ClaudeNetError {
  const usable = backups.find(({ schema }) => schema <= newestSchema)
  return new ClaudeNetError(
    'unavailable',
    `The database has schema ${found}; this program knows ${newestSchema} at most. A newer program has upgraded it.`,
    usable
      ? `Start the newer program again; or go back to the backup made before the upgrade, which loses everything after it: claude-net restore ${usable.path} --data DIR`
      : 'Start the newer program again, or restore a backup that is older than the upgrade: claude-net restore FILE --data DIR',
  )
}
