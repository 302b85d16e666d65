import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** The TCP connection under each TLS connection. */
const carriers = new WeakMap<Socket, Socket>()

/** Records that `secure` runs over `carrier`. */
export function carried(secure: TLSSocket, carrier: Socket): void {
  carriers.set(secure, carrier)
}

/** Resets a connection, so that the kernel discards its send buffer. */
export function reset(socket: Socket): void {
  const carrier = carriers.get(socket)
  // Only a TCP handle can be reset.
  if (carrier) carrier.resetAndDestroy()
  else socket.resetAndDestroy()
  socket.destroy()
}

/** Reports whether a request came over TLS to this port. TLS that ends at a proxy in front is reported by the proxy's headers instead. */
export function isByTls({ socket }: Pick<IncomingMessage, 'socket'>): boolean {
  return (socket as Partial<TLSSocket>).encrypted === true
}
