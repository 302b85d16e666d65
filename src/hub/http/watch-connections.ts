import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Hub } from '../hub.ts'
import type { Connections } from './connections.ts'
import { measured, type UnreadAnswers } from './unread-answers.ts'

/** Counts every connection and the bytes of every response. The caller must call `secured` when a TLS handshake has finished. */
export function watchConnections(
  server: FastifyInstance,
  { hub, connections, unread }: { hub: Hub; connections: Connections; unread: UnreadAnswers },
): { secured: (carrier: Socket, secure: Socket) => void } {
  const watchEnd = (socket: Socket) =>
    socket.once('close', () => {
      connections.closed(socket)
      unread.closed(socket)
    })
  server.server.on('connection', socket => {
    connections.opened(socket)
    watchEnd(socket)
  })
  const stop = hub.onRevoked(tokenId => connections.revoked(tokenId))
  server.addHook('onClose', (_server, done) => {
    stop()
    done()
  })
  server.addHook('onSend', (request, reply, payload, next) => {
    const { socket } = request.raw
    const [bytes, sent] = measured(payload)
    unread.wrote(socket, connections.clientOf(socket), bytes)
    reply.raw.once('close', () => unread.read(socket))
    next(null, sent)
  })
  return {
    secured: (carrier, secure) => {
      connections.secured(carrier, secure)
      watchEnd(secure)
    },
  }
}
