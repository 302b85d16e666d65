import { chmodSync, lstatSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ClaudeNetError } from '../protocol/errors.ts'
import { sqliteCode } from './state/store/sqlite-errors.ts'

/**
 * Makes this process the one owner of `dataDir` until `release` or until it exits, for whatever reason: the lock is one of the operating
 * system, taken on `hub.lock` through SQLite since Node has no call for it. Creates the directory (0700) if needed, and removes access for
 * other users. Throws `conflict` when another process holds the lock.
 */
export function lockDataDirectory(dataDir: string): { release: () => void } {
  makePrivate(dataDir)
  refuseLinks(dataDir)
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

/** Files of a data directory that must not be links: a command there, even as root, would follow them. */
const ownFiles = [
  'hub.lock',
  'hub.lock-journal',
  'hub.url',
  'admin.token',
  'identity.json',
  'admin.sock',
  ...['hub.db', 'audit.db', 'search.db'].flatMap(withLog),
]

function withLog(database: string): string[] {
  return [database, `${database}-wal`, `${database}-shm`]
}

function refuseLinks(dataDir: string): void {
  const link = ownFiles
    .map(name => join(dataDir, name))
    .find(path => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
  if (link === undefined) return
  throw new ClaudeNetError(
    'forbidden',
    `${link} is a symbolic link, and is not followed.`,
    'Remove it if you did not make it. A hub keeps its files in one directory: name that one with --data DIR.',
  )
}

/** Creates `dataDir` with access for its owner alone, since anyone who can read `admin.token` there has the rights of the admin. */
function makePrivate(dataDir: string): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  if ((statSync(dataDir).mode & 0o077) === 0) return
  try {
    chmodSync(dataDir, 0o700)
  } catch {
    throw new ClaudeNetError(
      'forbidden',
      `Other users can access ${dataDir}, and this user may not change that.`,
      `Let its owner run: chmod 700 ${dataDir}. Or give the hub a directory of its own with --data DIR.`,
    )
  }
}
