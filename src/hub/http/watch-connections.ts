import type { FastifyInstance } from 'fastify'
import type { Hub } from '../hub.ts'
import type { Connections } from './connections.ts'
import { measured, type UnreadAnswers } from './unread-answers.ts'

/** Has every connection and the bytes of every answer counted. */
export function watchConnections(
  server: FastifyInstance,
  { hub, connections, unread }: { hub: Hub; connections: Connections; unread: UnreadAnswers },
): void {
  server.server.on('connection', socket => {
    connections.opened(socket)
    socket.once('close', () => {
      connections.closed(socket)
      unread.closed(socket)
    })
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
}
