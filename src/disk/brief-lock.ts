import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'

/** Time to wait for a lock, in ms. */
const waitMs = 1000

/** Longest time that a holder may take, in ms. A lock that is older was left by a process that was killed. */
const longestMs = 5000

const pauseMs = 5

/**
 * Runs `work` under the lock file `path`, for work of a few milliseconds: it blocks this process. `work` gets a function that reports
 * whether the lock is still held. Returns undefined, without running it, when the lock could not be taken. Throws what `work` throws, and
 * the system's error when the file cannot be made.
 */
export function withBriefLock<T>(path: string, work: (isHeld: () => boolean) => T): T | undefined {
  const owner = randomUUID()
  const end = performance.now() + waitMs
  while (!take(path, owner)) {
    if (performance.now() > end) return undefined
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs)
  }
  const isHeld = () => ownerOf(path) === owner
  try {
    return work(isHeld)
  } finally {
    if (isHeld()) rmSync(path, { force: true })
  }
}

function take(path: string, owner: string): boolean {
  try {
    writeFileSync(path, owner, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const touchedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
  if (Math.abs(Date.now() - touchedAt) > longestMs) breakOpen(path, owner)
  return false
}

/**
 * Moves an abandoned lock away before removing it: of several processes that find it, only one removes it, and none removes the next
 * holder's.
 */
function breakOpen(path: string, owner: string): void {
  const abandoned = ownerOf(path)
  const aside = `${path}.${owner}.new`
  try {
    if (abandoned === ownerOf(path)) renameSync(path, aside)
    rmSync(aside, { force: true })
  } catch {
    // Another process was faster.
  }
}

function ownerOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
