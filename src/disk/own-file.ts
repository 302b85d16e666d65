import { closeSync, constants, fchmodSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Returns the text of a file in a directory that another user may own, so that root reads only what that user could read, too. Throws the
 * system's error if there is no file, and `ENOTOWN` with a sentence for a link, for anything but a regular file, for a file with a second
 * name, and for one that belongs neither to the directory's owner, nor to this user, nor to root. Sets its mode to `mode`, if given.
 */
export function readOwnFile(path: string, mode?: number): string {
  const handle = openNoLink(path)
  try {
    const stats = fstatSync(handle)
    const owners = [statSync(dirname(path)).uid, process.geteuid?.(), 0]
    if (!stats.isFile()) throw notOwn('is not a file')
    if (stats.nlink !== 1) throw notOwn('has a second name (a hard link)')
    if (!owners.includes(stats.uid)) throw notOwn(`belongs to the user ${stats.uid}`)
    if (mode !== undefined && (stats.mode & 0o777) !== mode) fchmodSync(handle, mode)
    return readFileSync(handle, 'utf8')
  } finally {
    closeSync(handle)
  }
}

/** Opens a file for reading, without following a link or waiting for the other end of a pipe. */
function openNoLink(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw notOwn('is a symbolic link')
    throw error
  }
}

function notOwn(why: string): Error {
  return Object.assign(new Error(`it ${why}`), { code: 'ENOTOWN' })
}
