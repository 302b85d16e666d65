import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { Store } from '../bench/store.ts'
import { api } from '../src/protocol/api.ts'
import { maxBodyBytes } from '../src/protocol/messages.ts'
import { startHub, TestHub } from './support/hub.ts'
import { errorOf, raw } from './support/raw.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

const outside = '127.0.0.3'

/** Opens a connection, writes `text` at once, and reads only if the test does. */
function dial(hub: TestHub, text: string, localAddress?: string): Socket {
  const socket = connect({ port: hub.port, host: hub.url.hostname, localAddress })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.pause()
  socket.write(text)
  return socket
}

/** Does the same over TLS; `text` is sent when the handshake has finished. */
function dialTls(hub: TestHub, text: string, localAddress?: string): Socket {
  const carrier = connect({ port: hub.port, host: hub.url.hostname, localAddress })
  const socket = connectTls({ socket: carrier, rejectUnauthorized: false })
  onTestFinished(() => void carrier.destroy())
  for (const each of [carrier, socket]) each.on('error', () => {})
  socket.pause()
  if (text !== '') socket.write(text)
  return socket
}

const get = (path: string, token?: string) =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${token ? `Authorization: Bearer ${token}\r\n` : ''}\r\n`

/** Returns a value of `/metrics`, requested over a connection of its own. */
async function gauge(hub: TestHub, series: string): Promise<number> {
  const { text } = await raw(hub, { path: '/metrics', token: hub.adminToken })
  return Number(
    text
      .split('\n')
      .find(line => line.startsWith(`${series} `))
      ?.split(' ')[1],
  )
}

const strangers = (hub: TestHub) => gauge(hub, 'claude_net_open_connections{token="none"}')

const emptied = emptiedHub(dataDir => {
  const limits = { strangers: { connections: 64, perAddress: 16 } }
  const timeouts = { headersMs: 60_000, requestMs: 60_000 }
  return new TestHub({ dataDir, config: { trustedNetworks: ['127.0.0.1'], limits, timeouts } })
})

test.each([
  ['ask for /healthz once', get('/healthz')],
  ['ask for what they may not', get('/v1/inbox')],
  ['say nothing', ''],
  ['begin a request', 'GET /healthz HTTP/1.1\r\n'],
  ['begin a handshake', '\x16\x03\x01'],
  ['say nothing over TLS', '', dialTls],
])(
  '600 connections from untrusted addresses that %s block neither members nor other untrusted clients',
  async (_, text, open = dial) => {
    const hub = await emptied()
    const { token } = await hub.join('seanclaude')
    const held = Array.from({ length: 600 }, () => open(hub, text, outside))
    // Connections over TLS may be closed before their handshake has finished.
    const settled = (socket: Socket) => new Promise(resolve => socket.once('connect', resolve).once('close', resolve))
    await Promise.all(held.map(settled))
    for (let turn = 0; turn < 3; turn++) {
      expect(await raw(hub, { path: '/v1/inbox', token })).toMatchObject({ status: 200 })
      for (const localAddress of [outside, '127.0.0.4'])
        expect(await raw(hub, { path: '/healthz', localAddress })).toMatchObject({ status: 200 })
    }
    await until('most of them are closed', async () => (await strangers(hub)) < 32)
    expect(await raw(hub, { path: '/healthz', localAddress: outside })).toMatchObject({ status: 200 })
  },
)

test('with default limits a thousand streams of 100 members connect through one relay at once, stay open, and receive events', {
  timeout: 180_000,
}, async () => {
  const dataDir = join(tempDir('hub'), 'data')
  const store = new Store(dataDir)
  const members = store.addMembers(100)
  store[Symbol.dispose]()
  const hub = await startHub({ dataDir, config: { limits: {} } })
  const streams = Array.from({ length: 1000 }, (_, n) => dial(hub, get('/v1/events', members[n % 100]!.token)))
  const heard = streams.map(socket => {
    let text = ''
    socket.on('data', chunk => (text += chunk)).resume()
    return () => text
  })
  await until('all are open', () => heard.every(text => text().includes('event: ready')), 120_000)
  expect(await gauge(hub, 'claude_net_open_streams')).toBe(1000)
  // Waits for longer than a connection may stay unauthenticated, with such connections from the same address beside the streams.
  for (let n = 0; n < 100; n++) dial(hub, get('/healthz'))
  await until('those are closed', async () => (await strangers(hub)) <= 64)
  await delay(2500)
  const sender = hub.client(members[0]!.token)
  await sender.call(api.sendMessage, { body: { to: 'all', body: 'hello' } })
  await until("every stream but the sender's hears of it", () => {
    return heard.filter(text => text().includes('event: inbox')).length === 990
  })
  expect(streams.filter(({ destroyed, readableEnded }) => destroyed || readableEnded)).toEqual([])
})

async function hubWithLongInbox(config: Record<string, unknown>) {
  const hub = await startHub({ config })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  for (let n = 0; n < 5; n++)
    await ana.client.call(api.sendMessage, { body: { to: 'ben', body: `x${'\u0001'.repeat(maxBodyBytes - 1)}` } })
  return { hub, ana, ben }
}

/** Number of responses of nearly 1 MiB that exceeds the kernel's buffers of a connection that is not read. */
const manyReads = 40

test('unread responses are limited for each token: it gets an error, others are served, and reading frees room', async () => {
  const maxBytes = 20 * 1024 * 1024
  const { hub, ana, ben } = await hubWithLongInbox({ limits: { unreadBytesPerToken: maxBytes } })
  const unread = () => gauge(hub, 'claude_net_unread_answer_bytes')
  const stalled = dial(hub, get('/v1/inbox', ben.token).repeat(manyReads))
  await until('more unread bytes than allowed', async () => (await unread()) > maxBytes)
  for (let turn = 0; turn < 3; turn++) {
    const refused = await raw(hub, { path: '/v1/inbox?limit=1', token: ben.token })
    expect(errorOf(refused)).toMatchObject({
      code: 'rate_limited',
      message: expect.stringMatching(/bytes of earlier answers to read/),
    })
    expect(await raw(hub, { path: '/v1/inbox', token: ana.token })).toMatchObject({ status: 200 })
    expect(await unread()).toBeLessThan(2 * maxBytes)
  }
  stalled.resume()
  await until('they are read', async () => (await unread()) < 10_000)
  expect(await raw(hub, { path: '/v1/inbox', token: ben.token })).toMatchObject({ status: 200 })
})

test.each([
  ['an inbox', (token: string) => get('/v1/inbox', token).repeat(manyReads)],
  ['the file of the client, without a token', () => get('/client/claude-net.mjs').repeat(manyReads)],
  ['an inbox over TLS', (token: string) => get('/v1/inbox', token).repeat(manyReads), dialTls],
])(
  'a client that requests %s and does not read is disconnected in time, and its buffers freed',
  async (_, text, open = dial) => {
    const { hub, ben } = await hubWithLongInbox({
      limits: { unreadBytesPerToken: 1024 * 1024 * 1024 },
      timeouts: { answerMs: 2000 },
    })
    const socket = open(hub, text(ben.token))
    await until('unread bytes', async () => (await gauge(hub, 'claude_net_unread_answer_bytes')) > 100_000)
    await until('it is cut', async () => (await gauge(hub, 'claude_net_unread_answer_bytes')) < 10_000)
    // The connection is reset, so that the hub's kernel buffers nothing for it either.
    const [error] = await Promise.all([once(socket, 'error'), socket.resume()])
    expect(error).toMatchObject([{ code: 'ECONNRESET' }])
  },
)

test('slow request bodies are limited for each token: it gets an error, others are served, and a completed one frees room', async () => {
  const hub = await startHub({ config: { limits: { unreadBytesPerToken: 100_000, loop: null } } })
  const [slow, other] = [await hub.join('slow'), await hub.join('other')]
  const body = JSON.stringify({ to: 'other', body: 'x'.repeat(30_000) })
  const head = `POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${slow.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  const held = Array.from({ length: 3 }, () => dial(hub, head + body.slice(0, -1)))
  const send = ({ token }: { token: string }) => raw(hub, { path: '/v1/messages', token, body: JSON.parse(body) })
  await until('the refusal', async () => (await send(slow)).status === 429)
  expect(errorOf(await send(slow)).message).toContain('bytes of your earlier requests have not arrived yet')
  expect(await raw(hub, { path: '/v1/inbox', token: slow.token })).toMatchObject({ status: 200 })
  expect(await send(other)).toMatchObject({ status: 201 })
  held[0]!.resume()
  const answered = once(held[0]!, 'data')
  held[0]!.write(body.slice(-1))
  expect(String(await answered)).toContain('201 Created')
  expect(await send(slow)).toMatchObject({ status: 201 })
})
