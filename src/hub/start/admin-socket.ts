import { chmodSync, lstatSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type SocketPath, socketPathIn } from '../../disk/socket-path.ts'
import { adminSocketFile } from '../../protocol/admin-socket.ts'
import type { Listeners } from '../http/listeners.ts'

/**
 * Listens on `DIR/admin.sock` (0600). Those who may connect, the hub's user and root, are the admin, like those who can read `admin.token`
 * beside it. Replaces a socket left by a killed hub, which is safe since `dataDir` is locked. Returns a function that removes the
 * socket. Throws the system's error, and for a file of that name that is not a socket.
 */
export async function listenForAdmin(
  listeners: Listeners,
  dataDir: string,
  taken: (socket: Socket) => void,
): Promise<() => void> {
  const file = join(dataDir, adminSocketFile)
  const found = lstatSync(file, { throwIfNoEntry: false })
  if (found && !found.isSocket()) throw new Error(`${file} is not a socket; remove it, and restart the hub`)
  rmSync(file, { force: true })
  const address = socketPathIn(dataDir, adminSocketFile)
  try {
    await listeners.listen({ path: address.path }, taken)
    chmodSync(file, 0o600)
  } catch (error) {
    address.close()
    throw error
  }
  return () => remove(file, address)
}

function remove(file: string, address: SocketPath): void {
  rmSync(file, { force: true })
  address.close()
}
