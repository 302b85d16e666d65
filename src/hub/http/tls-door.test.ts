import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import * as tls from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { testIdentity } from '../../../test/support/test-identity.ts'
import { until } from '../../../test/support/until.ts'
import { openTlsDoor } from './tls-door.ts'

/** Starts a server whose connections may be half open, as the hub's are; `count` resolves to the number of open ones. */
async function start(timeoutMs: number) {
  const http = createHttpServer((request, response) => response.end(request.url))
  const door = openTlsDoor(http, { identity: testIdentity, timeoutMs, onSecured: () => {} })
  const server = createServer({ allowHalfOpen: true }, socket => http.emit('connection', socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const count = () => new Promise<number>(resolve => server.getConnections((_error, open) => resolve(open)))
  onTestFinished(async () => {
    door.close()
    http.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { port, door, count, listening: server }
}

const dial = (port: number) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  return socket
}

test.each([
  ['nothing', ''],
  ['a part of a handshake', Buffer.from([0x16, 3, 1, 2, 0, 1])],
])('a client that sends %s and closes leaves no connection behind', async (_what, bytes) => {
  const { port, count } = await start(60_000)
  const socket = dial(port)
  await once(socket, 'connect')
  await until('it is open', async () => (await count()) === 1)
  if (bytes !== '') socket.write(bytes)
  socket.end()
  await until('it is closed', async () => (await count()) === 0)
})

test('a client that disconnects right after the handshake leaves no connection behind', async () => {
  const { port, count } = await start(60_000)
  for (const go of ['end', 'destroy'] as const) {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    socket[go]()
  }
  await until('both are closed', async () => (await count()) === 0)
})

test('a plain HTTP request that arrives byte by byte is served', async () => {
  const { port } = await start(60_000)
  const socket = dial(port).setNoDelay()
  for (const byte of 'GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n') {
    await new Promise(resolve => setImmediate(resolve))
    socket.write(byte)
  }
  let text = ''
  for await (const bytes of socket) text += bytes
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\/slow$/)
})

test('close ends connections that have not reached a request', async () => {
  const { port, door, count } = await start(60_000)
  const sockets = [dial(port), dial(port)]
  sockets[1]!.write(Buffer.from([0x16, 3, 1]))
  await until('both are open', async () => (await count()) === 2)
  door.close()
  await until('both are closed', async () => (await count()) === 0)
})
