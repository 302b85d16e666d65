import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type TLSSocket } from 'node:tls'
import type { HubIdentity } from '../identity/identity.ts'
import { answerBroken } from './broken-requests.ts'
import { carried } from './tls-sockets.ts'

/** First byte of every TLS connection: a record of the type "handshake" (RFC 8446, section 5.1). No HTTP request begins with it. */
const handshakeRecord = 0x16

export interface TlsDoorOptions {
  /** Without one the hub speaks no TLS, and treats a handshake as a broken request. */
  identity: HubIdentity | undefined
  /** Time in which a connection must send its first byte, and from then on finish the handshake, in ms. */
  timeoutMs: number
  /** Called when a handshake has finished, before the first request: from here on `secure` stands for the connection. */
  onSecured: (carrier: Socket, secure: TLSSocket) => void
}

/** TLS beside plain HTTP on the port of one server. */
export interface TlsDoor {
  /** Uses `identity` for new connections; open ones keep theirs. */
  prove(identity: HubIdentity): void
  /** Ends the connections that have not reached a request yet; the server ends the others. */
  close(): void
}

/**
 * Distinguishes TLS 1.3 from plain HTTP by the first byte of each connection that `server` accepts. Both are then served by `server`
 * itself, with all its bounds and timeouts.
 */
export function openTlsDoor(server: Server, { identity, timeoutMs, onSecured }: TlsDoorOptions): TlsDoor {
  const [serve] = server.listeners('connection') as ((this: Server, socket: Socket) => void)[]
  server.removeListener('connection', serve!)
  /** Connections that `server` does not serve yet. */
  const waiting = new Set<Socket>()
  let isProven = identity !== undefined
  const tls = createServer({ ...handshake, handshakeTimeout: timeoutMs, ...(identity && contextOf(identity)) })
  tls.on('tlsClientError', (_error, secure) => {
    carrierOf(secure)?.destroy()
    secure.destroy()
  })
  tls.on('secureConnection', secure => {
    const carrier = carrierOf(secure)
    if (!carrier || !waiting.delete(carrier)) {
      secure.destroy()
      return
    }
    carried(secure, carrier)
    onSecured(carrier, secure)
    serve!.call(server, secure)
  })
  server.on('connection', (socket: Socket) => {
    waiting.add(socket)
    const look = () => {
      const first = socket.read() as Buffer | null
      if (first === null) return
      socket.setTimeout(0)
      socket.off('readable', look).off('timeout', tooLate).off('end', drop)
      socket.unshift(first)
      if (isProven && first[0] === handshakeRecord) {
        // As in any HTTPS server, a client that half-closes during the handshake is disconnected.
        socket.allowHalfOpen = false
        tls.emit('connection', socket)
        return
      }
      waiting.delete(socket)
      socket.off('error', drop)
      serve!.call(server, socket)
    }
    const tooLate = () => answerBroken({ code: 'ERR_HTTP_REQUEST_TIMEOUT' } as NodeJS.ErrnoException, socket)
    const drop = () => socket.destroy()
    socket.on('readable', look).on('error', drop).on('end', drop).setTimeout(timeoutMs, tooLate)
    socket.once('close', () => waiting.delete(socket))
  })
  return {
    prove: next => {
      tls.setSecureContext(contextOf(next))
      isProven = true
    },
    close: () => {
      for (const socket of waiting) socket.destroy()
    },
  }
}

/** Options of every handshake. */
const handshake = { ALPNProtocols: ['http/1.1'] }

function contextOf({ privateKey, certificate }: HubIdentity): SecureContextOptions {
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: certificate,
    minVersion: 'TLSv1.3',
  }
}

/** Returns the TCP connection under a TLS one. Node keeps it in `_parent` (lib/internal/tls/wrap.js) and has no public accessor. */
function carrierOf(secure: TLSSocket): Socket | undefined {
  return (secure as TLSSocket & { _parent?: Socket })._parent
}
