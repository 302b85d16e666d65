import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ClaudeNetError } from '../protocol/errors.ts'
import { sqliteCode } from './state/database.ts'

/**
 * Makes this process the one owner of `dataDir` until `release` or its death, however it dies: the lock is the operating
 * system's own, taken on `hub.lock` by way of SQLite since Node has no call for it. Makes the directory (0700) if needed.
 * Throws `conflict` when another process has it.
 */
export function lockDataDirectory(dataDir: string): { release: () => void } {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(dataDir, 'hub.lock'), { timeout: 0 })
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (error) {
    lock.close()
    const busy = sqliteCode(error) === 5
    if (!busy) throw error
    throw new ClaudeNetError(
      'conflict',
      `Another hub is running on ${dataDir}.`,
      'Stop it first, or give this one its own directory: claude-net hub --data DIR',
    )
  }
  return { release: () => lock.close() }
}
