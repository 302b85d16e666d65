import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import lockfile from 'proper-lockfile'
import { hasEnded, type ProcessIdentity, thisProcess } from './process-identity.ts'

export interface LockOptions {
  /** Time after which the lock of a suspended holder, or of one that cannot be seen from here, is stale, in ms. */
  staleMs: number
  /** Interval at which a holder renews the lock, in ms; half of `staleMs` by default. */
  updateMs?: number
}

/**
 * Takes the lock at `path`, a directory whose time its holder renews, and returns a function that releases it; undefined while another
 * process has it. The lock of a process that has ended is taken at once: `path.owner` names the holder. Throws when the
 * directory cannot be written, and when its parent has gone: a lock brings back no home that was removed.
 */
export async function takeLock(path: string, options: LockOptions): Promise<(() => Promise<void>) | undefined> {
  const { staleMs, updateMs } = options
  makeOneDirectory(dirname(path))
  letAge(path, staleMs)
  if (isOfDead(path)) rmSync(path, { recursive: true, force: true })
  try {
    const release = await lockfile.lock(path, {
      lockfilePath: path,
      realpath: false,
      stale: staleMs,
      ...(updateMs !== undefined && { update: updateMs }),
      // Another process may have taken over after a long suspension. Users of this lock tolerate two holders.
      onCompromised: () => {},
    })
    writeOwner(path)
    return async () => {
      rmSync(ownerFile(path), { force: true })
      await release().catch(() => {})
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined
    throw error
  }
}

/** Makes the directory of a lock unless it exists. */
function makeOneDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Reports whether a running process holds the lock at `path`, as far as can be seen from here. */
export function isHeld(path: string, { staleMs }: LockOptions): boolean {
  const touchedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return touchedAt !== undefined && Date.now() - touchedAt < staleMs && !isOfDead(path)
}

function ownerFile(path: string): string {
  return `${path}.owner`
}

/** Names the owner of a lock. On a full disk it stays unnamed: its lock then becomes stale like any other. */
function writeOwner(path: string): void {
  try {
    writeFileSync(ownerFile(path), JSON.stringify(thisProcess()), { mode: 0o600 })
  } catch {
    rmSync(ownerFile(path), { force: true })
  }
}

function isOfDead(path: string): boolean {
  try {
    return hasEnded(JSON.parse(readFileSync(ownerFile(path), 'utf8')) as ProcessIdentity)
  } catch {
    return false // It names no holder.
  }
}

/**
 * Sets the date of a lock from the future to now, so that it can become stale: otherwise a holder that was killed before the clock was set
 * back would block it until the clock has caught up. A running holder renews it.
 */
function letAge(lock: string, staleMs: number): void {
  const now = Date.now()
  const touchedAt = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? now
  if (touchedAt <= now + staleMs) return
  try {
    utimesSync(lock, now / 1000, now / 1000)
  } catch {
    // Its holder has just released it.
  }
}
