import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { replaceFile } from './replace-file.ts'

/** Most links that Linux follows. */
const maxLinks = 40

/** Returns what `path` leads to through links, whether or not anything is there. Throws ELOOP where links lead in a circle. */
export function linkTarget(path: string): string {
  let target = path
  for (let links = 0; links < maxLinks; links++) {
    if (!lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink()) return target
    target = resolve(dirname(target), readlinkSync(target))
  }
  throw Object.assign(new Error(`ELOOP: too many links, '${path}'`), { code: 'ELOOP' })
}

/** Returns the system's error code that prevents `path` from being rewritten or created; undefined if it probably can be. */
export function whyNotWritable(path: string): string | undefined {
  const denied = codeOf(() => accessSync(path, constants.W_OK))
  if (denied === undefined) return undefined
  if (denied !== 'EACCES' && denied !== 'ENOENT') return denied
  // A file without write permission can still be replaced when its directory is writable.
  let dir = dirname(path)
  while (!lstatSync(dir, { throwIfNoEntry: false }) && dir !== dirname(dir)) dir = dirname(dir)
  return codeOf(() => accessSync(dir, constants.W_OK | constants.X_OK))
}

/**
 * Rewrites a file that others share: replaces it as a whole where that is possible, otherwise writes into it, so that a mounted file, one
 * in a read-only directory, or one with other names or another owner is kept. Throws, with the old text in place, when the disk is full.
 */
export function rewriteFile(path: string, text: string, mode: number): void {
  const present = lstatSync(path, { throwIfNoEntry: false })
  const isOthers = present !== undefined && (present.nlink > 1 || present.uid !== process.getuid?.())
  if (!isOthers) {
    const code = codeOf(() => replaceFile(path, text, mode))
    if (code === undefined) return
    if (!present || !['EBUSY', 'EXDEV', 'EROFS', 'EACCES', 'EPERM'].includes(code)) throw refused(code, path)
  }
  const code = codeOf(() => writeInto(path, text))
  if (code !== undefined) throw refused(code, path)
}

function writeInto(path: string, text: string): void {
  const before = readFileSync(path)
  const handle = openSync(path, 'r+')
  try {
    fillWith(handle, Buffer.from(text))
  } catch (error) {
    // The old text needs no more space than it had.
    codeOf(() => fillWith(handle, before))
    throw error
  } finally {
    closeSync(handle)
  }
}

function fillWith(handle: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at, bytes.length - at, at)
  if (fstatSync(handle).size > bytes.length) ftruncateSync(handle, bytes.length)
  fsyncSync(handle)
}

/** Runs `work` and returns the code of a system error that it threw, if any. Throws any other error. */
function codeOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return code
  }
}

function refused(code: string, path: string): Error {
  return Object.assign(new Error(`${path} cannot be written (${code})`), { code })
}
