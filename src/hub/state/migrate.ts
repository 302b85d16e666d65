import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Database } from './database.ts'
import { sql as inboxes } from './migrations/0001-inboxes.ts'
import { sql as names } from './migrations/0002-names.ts'
import { sql as history } from './migrations/0003-history.ts'
import { sql as policy } from './migrations/0004-policy.ts'
import { sql as inboxOrder } from './migrations/0005-inbox-order.ts'
import { sql as brake } from './migrations/0006-brake.ts'
import { sql as answers } from './migrations/0008-answers.ts'

/** Every step of the schema, oldest first. A step that has been released is never changed: add one. */
const migrations: readonly string[] = [inboxes, names, history, policy, inboxOrder, brake, answers]

/** Brings the schema to this program's version, each step in a transaction of its own. Throws on a file from a newer program. */
export function migrate(db: Database, newestStep = migrations.length): void {
  const { user_version: found } = db.get<{ user_version: number }>('pragma user_version')!
  if (found > migrations.length) {
    throw new ClaudeNetError(
      'unavailable',
      `The database has schema ${found}; this program knows ${migrations.length} at most.`,
      'Start the newer program again, or restore the backup that it made before it upgraded.',
    )
  }
  for (let step = found; step < newestStep; step++) {
    db.transaction(() => {
      db.execute(migrations[step]!)
      db.execute(`pragma user_version = ${step + 1}`)
    })
  }
}
