import { closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncDirectory, syncFile } from '../../../disk/replace-file.ts'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { removeUnfinished, unfinished, upgradeBackupName, upgradeBackups } from './backup-names.ts'
import type { Database } from './database.ts'

/** Number of these backups that are kept; older ones are removed once a newer one is on disk. */
const keptBackups = 3

/**
 * Copies the store into `dir` before its schema changes, synced and checked. The file gets its name only once it is complete. Throws
 * `unavailable` when the copy cannot be made; the upgrade then waits.
 */
export function backupBeforeUpgrade(db: Database, dir: string, schema: number, time: number): void {
  const path = join(dir, upgradeBackupName(schema, time))
  const part = path + unfinished
  removeUnfinished(dir)
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    // SQLite fills this empty file, which is thus unreadable for other users from the start.
    closeSync(openSync(part, 'w', 0o600))
    db.run('vacuum into ?', part)
    expectSound(part)
    syncFile(part)
    renameSync(part, path)
    syncDirectory(dir)
  } catch (error) {
    removeUnfinished(dir)
    throw new ClaudeNetError(
      'unavailable',
      `The backup that is made before an upgrade failed: ${(error as Error).message}.`,
      `Nothing was upgraded. Make sure that there is room in ${dir}, then start the hub again.`,
    )
  }
  // A backup dated in the future was made while the clock was wrong: it is kept, and does not displace newer ones.
  const past = upgradeBackups(dir).filter(backup => backup.time <= time)
  for (const { path } of past.slice(keptBackups)) rmSync(path)
}

function expectSound(path: string): void {
  using db = new DatabaseSync(path, { readOnly: true })
  const { quick_check: result } = db.prepare('pragma quick_check').get() as { quick_check: string }
  if (result !== 'ok') throw new Error(`the copy is not sound: ${result}`)
}
