import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { readHubConfig } from '../config/hub-config.ts'
import { maxRequestBytes } from './json-body.ts'
import { OpenBodies } from './open-bodies.ts'

const bodies = (perClient: number, all: number) =>
  new OpenBodies({ ...readHubConfig({}).limits!, unreadBytesPerToken: perClient, unreadBytes: all })

/** Starts a server. Returns a function that sends the head of a request and resolves to the request and its client socket. */
async function listen() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return async (head: string) => {
    const { port } = server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n`)
    const [request] = await once(server, 'request')
    onTestFinished(() => void socket.destroy())
    return { request: request as IncomingMessage, socket }
  }
}

test('bytes that a client has announced and not sent are bounded, without effect on others', async () => {
  const open = await listen()
  const waiting = bodies(3000, 6000)
  const heads = []
  for (let n = 0; n < 4; n++) heads.push(await open('Content-Length: 1000'))
  for (const { request } of heads.slice(0, 3)) waiting.begin(request, 'a')
  const more = await open('Content-Length: 1')
  expect(() => waiting.begin(more.request, 'a')).toThrow('3000 bytes of your earlier requests have not arrived yet')
  waiting.begin(heads[3]!.request, 'b')
  expect(waiting.bytes).toBe(4000)
  // One arrives completely, one is aborted.
  const [whole, broken] = heads
  const closed = [whole, broken].map(head => once(head!.request, 'close').catch(() => {}))
  whole!.request.resume()
  whole!.socket.write('x'.repeat(1000))
  broken!.socket.destroy()
  await Promise.all(closed)
  expect(waiting.bytes).toBe(2000)
  waiting.begin(more.request, 'a')
})

test('a body of unknown length counts as the largest, a single body is always accepted, and an empty one costs nothing', async () => {
  const open = await listen()
  const waiting = bodies(10, 20)
  const [chunked, empty, next] = [
    await open('Transfer-Encoding: chunked'),
    await open('Content-Length: 0'),
    await open('Content-Length: 1'),
  ]
  waiting.begin(chunked.request, 'a')
  expect(waiting.bytes).toBe(maxRequestBytes)
  waiting.begin(empty.request, 'a')
  expect(() => waiting.begin(next.request, 'a')).toThrow(expect.objectContaining({ code: 'rate_limited' }))
  waiting.begin(next.request, 'b')
})
