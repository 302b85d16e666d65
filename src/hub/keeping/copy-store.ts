import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { syncFile } from '../../disk/replace-file.ts'
import type { BackupReport } from '../../protocol/backup.ts'
import { isDamage } from '../state/store/sqlite-errors.ts'
import { checkBackup, notGood } from './check-backup.ts'

/**
 * Copies the store of a running hub, in another process: closing the file in the hub's own would release its locks. The hub holds its
 * checkpoints until `onCopied`, so the database does not change and the log only grows; SQLite ignores a commit that is cut off at the
 * log's end. Then merges both into one file, checks all of it, and syncs it.
 */
export function copyStore(from: string, to: string, onCopied: () => void): BackupReport {
  copyFileSync(from, to)
  if (existsSync(`${from}-wal`)) copyFileSync(`${from}-wal`, `${to}-wal`)
  onCopied()
  try {
    using db = new DatabaseSync(to)
    db.exec('pragma journal_mode = delete')
  } catch (error) {
    throw isDamage(error) ? notGood(to, `SQLite says: ${(error as Error).message}`) : error
  }
  for (const suffix of ['-wal', '-shm']) rmSync(to + suffix, { force: true })
  const report = checkBackup(to)
  syncFile(to)
  return report
}
