import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'

/** Most bytes of the path of a unix socket, without the zero at its end: 108 on Linux, 104 elsewhere (unix(7)). */
const maxBytes = process.platform === 'linux' ? 107 : 103

/** A path at which a unix socket can be made or reached, valid until `close`. */
export interface SocketPath {
  path: string
  close: () => void
}

/**
 * The path of the socket `name` in `dir`. Where that is too long for a unix socket, Linux reaches it by way of the open directory.
 * Throws the system's error where `dir` cannot be opened, and ENAMETOOLONG where there is no way.
 */
export function socketPathIn(dir: string, name: string): SocketPath {
  const path = join(dir, name)
  if (Buffer.byteLength(path) <= maxBytes) return { path, close: () => {} }
  if (process.platform !== 'linux') {
    throw Object.assign(new Error(`${path} is too long: a socket's path has ${maxBytes} bytes at most`), {
      code: 'ENAMETOOLONG',
    })
  }
  const handle = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: `/proc/self/fd/${handle}/${name}`, close: () => closeSync(handle) }
}
