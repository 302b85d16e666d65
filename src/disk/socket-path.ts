import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'

/** Most bytes of the path of a unix socket, without the zero at its end: 108 on Linux, 104 on macOS and the BSDs (unix(7)). */
const maxBytes = (platform: NodeJS.Platform) => (platform === 'linux' ? 107 : 103)

/** A path at which a unix socket can be made or reached, valid until `close`. */
export interface SocketPath {
  path: string
  close: () => void
}

/**
 * Returns the path of the socket `name` in `dir`. One that is too long for a unix socket leads through the open directory on
 * Linux. Throws the system's error where `dir` cannot be opened, and ENAMETOOLONG on a system without that way.
 */
export function socketPathIn(dir: string, name: string, platform = process.platform): SocketPath {
  const path = join(dir, name)
  if (Buffer.byteLength(path) <= maxBytes(platform)) return { path, close: () => {} }
  if (platform !== 'linux') {
    throw Object.assign(new Error(`${path} is too long: a socket's path has ${maxBytes(platform)} bytes at most`), {
      code: 'ENAMETOOLONG',
    })
  }
  const handle = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: `/proc/self/fd/${handle}/${name}`, close: () => closeSync(handle) }
}
