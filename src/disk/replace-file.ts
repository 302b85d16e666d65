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

/** Longest time to write one file, in ms: an older unfinished file was left by a killed process. */
const longestWriteMs = 60_000

/** An unfinished file younger than this, in ms, is left alone even if its process is not seen here: homes are shared. */
const shortestLifeMs = 1000

/**
 * Replaces `path` by `text`: after a crash, even of the machine, the file is the old one or the new one, never half of it.
 * Throws, with the old file in place, when the disk is full.
 */
export function replaceFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.new`
  try {
    rmSync(temporary, { force: true })
    // Exclusive, so that a link that somebody puts there is not followed.
    const handle = openSync(temporary, 'wx', mode)
    try {
      // Not writeSync, which may write only part of the text, and reports that only in its result.
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

/** Makes the content of `path` survive a loss of power. */
export function syncFile(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** Makes a created, renamed or removed entry of `directory` survive a loss of power. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * Makes `directory` (0700) and its parents, unless it exists; they survive a loss of power. Throws EROFS on a read-only disk, where
 * `recursive` throws ENOENT.
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

/** Removes unfinished files of `replaceFile` in `directory` that killed processes left: they may contain texts or tokens. */
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
      // The disk cannot be written; the next process tries again.
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
