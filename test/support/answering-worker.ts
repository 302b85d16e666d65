// The thread of an AnsweringServer; its doc comment lists the responses.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { openTlsDoor } from '../../src/hub/http/tls-door.ts'
import { reset } from '../../src/hub/http/tls-sockets.ts'
import { testIdentity } from './test-identity.ts'

const sockets = new Set<Socket>()
const requests: Record<string, number> = {}

const answers: Record<string, (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => unknown> =
  {
    '/echo': async (request, response, query) => {
      const { method, url, headers } = request
      const body = await text(request)
      await delay(Number(query.get('afterMs')))
      json(response.setHeader('x-answer', 'echo'), { method, url, headers, body })
    },
    '/bytes': (_request, response, query) => response.end(Buffer.alloc(Number(query.get('count')), 'b')),
    '/lines': (_request, response) => {
      const timer = setInterval(() => response.write('a line\n'), 10)
      response.on('close', () => clearInterval(timer))
    },
    '/never': () => {},
    '/reset': ({ socket }) => reset(socket),
    '/healthz': ({ socket }, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"ok":true,', () => setTimeout(() => reset(socket), 20))
    },
    '/counts': (_request, response) => json(response, { open: sockets.size, requests }),
  }

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://any')
  requests[pathname] = (requests[pathname] ?? 0) + 1
  const answer = answers[pathname]
  if (answer) answer(request, response, searchParams)
  else response.writeHead(404).end('nothing here')
})
openTlsDoor(server, { identity: testIdentity, timeoutMs: 10_000, onSecured: () => {} })
server.on('connection', socket => {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
})

parentPort!.on('message', async (done: Int32Array) => {
  await Promise.all([...sockets].map(socket => new Promise(resolve => socket.destroy().once('close', resolve))))
  Atomics.store(done, 0, 1)
  Atomics.notify(done, 0)
})
server.listen(0, '127.0.0.1', () => parentPort!.postMessage((server.address() as AddressInfo).port))
