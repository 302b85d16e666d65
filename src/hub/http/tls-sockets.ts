import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** The TCP connection under each TLS connection. */
const carriers = new WeakMap<Socket, Socket>()

/** Notes down that `secure` is spoken over `carrier`. */
export function carried(secure: TLSSocket, carrier: Socket): void {
  carriers.set(secure, carrier)
}

/** Ends a connection with a reset, so that the kernel keeps nothing of what waits to be sent. */
export function reset(socket: Socket): void {
  const carrier = carriers.get(socket)
  // Only a TCP handle can be reset.
  if (carrier) carrier.resetAndDestroy()
  else socket.resetAndDestroy()
  socket.destroy()
}

/** Whether a request came over TLS to this port. What came by TLS to a proxy in front is for the proxy to say. */
export function isByTls({ socket }: Pick<IncomingMessage, 'socket'>): boolean {
  return (socket as Partial<TLSSocket>).encrypted === true
}
