import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { isRunning } from './process-identity.ts'

/** Writing one file takes no longer, in ms: an unfinished file that is older was left by a process that was killed. */
const longestWriteMs = 60_000

/** An unfinished file that is younger, in ms, is left alone even if no process of its number is seen here: homes are shared. */
const shortestLifeMs = 1000

/**
 * Replaces `path` by `text`: after a crash, even of the machine, the file is the old one or the new one, never half of it.
 * Throws, with the old file in place, when the disk is full.
 */
export function replaceFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.new`
  try {
    rmSync(temporary, { force: true })
    // Exclusively: a link that somebody puts there is not followed.
    const handle = openSync(temporary, 'wx', mode)
    try {
      // Not writeSync: that may write a part of the text, and says so only in its result.
      writeFileSync(handle, text)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncDirectory(dirname(path))
}

/** Makes what was written to `path` survive a power cut. */
export function syncFile(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** Makes a created, renamed or removed entry of `directory` survive a power cut. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Makes `directory` (0700) and what is above it, unless it is there; what was made survives a power cut. Throws EROFS on a read-only disk,
 * where `recursive` says ENOENT.
 */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && dirname(directory) !== directory) {
      makeDirectory(dirname(directory))
      makeDirectory(directory)
      return
    }
    if (code !== 'EEXIST' || !statSync(directory).isDirectory()) throw error
    return
  }
  // Without its entry, all that is synced in it is lost.
  syncDirectory(dirname(directory))
}

/** Removes from `directory` what `replaceFile` has left unfinished in processes that were killed: it may hold texts or tokens. */
export function removeUnfinished(directory: string): void {
  for (const name of namesIn(directory)) {
    const [, pid] = /\.(\d+)\.new$/.exec(name) ?? []
    if (pid === undefined || Number(pid) === process.pid) continue
    const path = join(directory, name)
    const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (Math.abs(ageMs) < (isRunning(Number(pid)) ? longestWriteMs : shortestLifeMs)) continue
    try {
      rmSync(path, { force: true })
    } catch {
      // A disk that cannot be written: the next process tries again.
    }
  }
}

/** Describes an error of the file system in words. */
export function diskTrouble({ code, message }: NodeJS.ErrnoException): string {
  return troubles[code ?? ''] ?? code ?? message
}

const troubles: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "this user's share of the disk is used up",
  EROFS: 'the disk is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EIO: 'the disk fails',
  ENOENT: 'its directory is not there',
  ENOTDIR: 'its directory is not there',
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
