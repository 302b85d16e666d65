// The thread of the servers of answering-server.ts, which lists their responses.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { openTlsDoor } from '../../src/hub/http/tls-door.ts'
import { reset } from '../../src/hub/http/tls-sockets.ts'
import type { Order } from './answering-server.ts'
import { testIdentity } from './test-identity.ts'

/** A server that was started, with its open connections and the number of requests by path. */
interface Started {
  server: Server
  sockets: Set<Socket>
  requests: Record<string, number>
}

type Respond = (
  request: IncomingMessage,
  response: ServerResponse,
  context: { query: URLSearchParams } & Pick<Started, 'sockets' | 'requests'>,
) => unknown

const responses: Record<string, Respond> = {
  '/echo': async (request, response, { query }) => {
    const { method, url, headers } = request
    const body = await text(request)
    await delay(Number(query.get('afterMs')))
    json(response.setHeader('x-answer', 'echo'), { method, url, headers, body })
  },
  '/bytes': (_request, response, { query }) => response.end(Buffer.alloc(Number(query.get('count')), 'b')),
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
  '/counts': (_request, response, { sockets, requests }) => json(response, { open: sockets.size, requests }),
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
}

const started = new Map<number, Started>()

parentPort!.on('message', async (order: Order) => {
  if ('open' in order) order.opened.postMessage(await open())
  else if ('drop' in order) {
    await closeConnections(started.get(order.drop)!)
    Atomics.store(order.done, 0, 1)
    Atomics.notify(order.done, 0)
  } else {
    const one = started.get(order.close)!
    started.delete(order.close)
    one.server.close()
    await closeConnections(one)
  }
})

/** Starts a server and returns its port. */
async function open(): Promise<number> {
  const sockets = new Set<Socket>()
  const requests: Record<string, number> = {}
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://any')
    requests[pathname] = (requests[pathname] ?? 0) + 1
    const respond = responses[pathname]
    if (respond) respond(request, response, { query: searchParams, sockets, requests })
    else response.writeHead(404).end('nothing here')
  })
  openTlsDoor(server, { identity: testIdentity, timeoutMs: 10_000, onSecured: () => {} })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  started.set(port, { server, sockets, requests })
  return port
}

function closeConnections({ sockets }: Started): Promise<unknown> {
  return Promise.all([...sockets].map(socket => new Promise(resolve => socket.destroy().once('close', resolve))))
}
