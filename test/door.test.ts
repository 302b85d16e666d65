import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Store } from '../bench/store.ts'
import { api } from '../src/protocol/api.ts'
import { mintToken, parseToken } from '../src/protocol/token.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { hubNode, run } from './support/program.ts'
import { errorOf, type RawAnswer, type RawRequest, raw, rawBytes } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

/** Another address of this machine, for untrusted clients. */
const elsewhere = '127.0.0.2'

describe('A29: the origin of a request', () => {
  /** Requests for each kind of route: public, with a token, and not existing. */
  const everywhere: RawRequest[] = [
    { path: '/readyz' },
    { path: '/join/AAAA-BBBB-CCCC-DDDD' },
    { path: '/client/claude-net.mjs' },
    { path: '/v1/inbox' },
    { path: '/v1/events' },
    { path: '/v1/admin/members' },
    { path: '/v1/join', body: {} },
    { path: '/healthz', method: 'POST' },
    { path: '/healthz/' },
    { path: '/nowhere' },
    { path: '/%zz' },
  ]

  function expectOutside(answer: RawAnswer): void {
    expect(answer.status).toBe(403)
    expect(errorOf(answer)).toMatchObject({ code: 'forbidden', hint: expect.stringContaining('trustedProxies') })
  }

  test('from outside the trusted networks only /healthz responds, whatever the token; from inside every route does', async () => {
    const hub = await startHub({ config: { trustedNetworks: ['127.0.0.1/32'] } })
    const { token } = await hub.join('seanclaude')
    for (const request of everywhere) expectOutside(await raw(hub, { ...request, token, localAddress: elsewhere }))
    const { lines } = await hub.client(hub.adminToken).call(api.listAudit, { query: { limit: 100 } })
    const refused = lines.filter(({ result }) => result === 'forbidden')
    expect(refused.map(({ address }) => address)).toEqual(everywhere.map(() => elsewhere))
    const health = { path: '/healthz', localAddress: elsewhere }
    expect(await raw(hub, health)).toMatchObject({ status: 200, json: { ok: true } })
    expect(await raw(hub, { path: '/v1/inbox', token })).toMatchObject({ status: 200 })
    expect(await raw(hub, { path: '/readyz' })).toMatchObject({ status: 200 })
  })

  test('by default every loopback address is inside', async () => {
    const hub = await startHub()
    const { token } = await hub.join('seanclaude')
    expect(await raw(hub, { path: '/v1/inbox', token, localAddress: elsewhere })).toMatchObject({ status: 200 })
  })

  test('an IPv4 client of a dual-stack socket is judged by its IPv4 address', async () => {
    const hub = await startHub({ config: { host: '::', trustedNetworks: ['127.0.0.1', '::1'] } })
    const { token } = await hub.join('seanclaude')
    expect(await raw(hub, { path: '/v1/inbox', token })).toMatchObject({ status: 200 })
    expectOutside(await raw(hub, { path: '/v1/inbox', token, localAddress: elsewhere }))
  })

  test('A26: a forwarding header from an untrusted address is ignored', async () => {
    const hub = await startHub({ config: { trustedNetworks: ['127.0.0.1'] } })
    const { token } = await hub.join('seanclaude')
    const claims = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'x-client-ip']
    const headers = Object.fromEntries(claims.map(name => [name, '127.0.0.1']))
    expectOutside(await raw(hub, { path: '/v1/inbox', token, headers, localAddress: elsewhere }))
  })

  test('clients may have any address behind a trusted proxy, but not when they bypass it', async () => {
    const hub = await startHub({ config: { trustedNetworks: ['127.0.0.1'], trustedProxies: ['127.0.0.3'] } })
    const { token } = await hub.join('seanclaude')
    const headers = { 'x-forwarded-for': '203.0.113.5' }
    const request = { path: '/v1/inbox', token, headers }
    expect(await raw(hub, { ...request, localAddress: '127.0.0.3' })).toMatchObject({ status: 200 })
    expectOutside(await raw(hub, { ...request, localAddress: elsewhere }))
    // A proxy is trusted with the address only: a request still needs its token, and a foreign page is still refused.
    const anonymous = await raw(hub, { path: '/v1/inbox', headers, localAddress: '127.0.0.3' })
    expect(anonymous.status).toBe(401)
    const page = { ...headers, origin: 'https://evil.example' }
    expect((await raw(hub, { ...request, headers: page, localAddress: '127.0.0.3' })).status).toBe(403)
  })

  test('A26: behind a proxy failures count for the last address that the proxy did not write itself', async () => {
    const limits = { failures: { perMinute: 1, burst: 3 } }
    const hub = await startHub({ config: { trustedProxies: ['127.0.0.3', '127.0.0.4'], limits } })
    const login = async (forwarded: string, localAddress = '127.0.0.3') => {
      const headers = { 'x-forwarded-for': forwarded }
      return (await raw(hub, { path: '/v1/inbox', token: mintToken('machine'), headers, localAddress })).status
    }
    // Entries that the client wrote itself do not make it another client.
    for (const spoofed of ['1.1.1.1, ', '2.2.2.2, ', '']) expect(await login(`${spoofed}203.0.113.5`)).toBe(401)
    expect(await login('3.3.3.3, 203.0.113.5')).toBe(429)
    expect(await login('203.0.113.5, 127.0.0.4')).toBe(429)
    expect(await login('203.0.113.6')).toBe(401)
    // A client with one IPv6 address counts by its /64.
    for (const last of ['1', '2:3:4', 'ffff']) expect(await login(`2001:db8:0:1::${last}`)).toBe(401)
    expect(await login('2001:db8:0:1:9::')).toBe(429)
    expect(await login('2001:db8:0:2::1')).toBe(401)
    // The header is ignored in requests that do not come from a proxy.
    for (const forwarded of ['4.4.4.1', '4.4.4.2', '4.4.4.3']) expect(await login(forwarded, elsewhere)).toBe(401)
    expect(await login('4.4.4.4', elsewhere)).toBe(429)
  })

  test.each([
    [{ trustedNetworks: ['10.0.0.0/8', '10.0.0.0/33'] }, 'trustedNetworks.1'],
    [{ trustedProxies: ['proxy.example'] }, 'trustedProxies.0'],
    [{ trustedNetworks: '10.0.0.0/8' }, 'trustedNetworks'],
    [{ limits: { sends: { perMinute: 0 } } }, 'limits.sends.perMinute'],
    [{ limits: { sendz: null } }, 'sendz'],
    [{ timeouts: { headersMs: 20_000 } }, 'timeouts.headersMs'],
  ])('a hub does not start with %j and names the field', async (config, field) => {
    const file = join(tempDir('config'), 'hub.json')
    writeFileSync(file, JSON.stringify(config))
    const ran = await run(['hub', '--port', '0', '--data', tempDir('data'), '--config', file], { node: hubNode })
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining(field) })
  })
})

describe('a known path with another method', () => {
  const hub = sharedHub()

  test.each([
    ['PUT', '/v1/messages', 'POST, GET, HEAD'],
    ['DELETE', '/v1/inbox?limit=1', 'GET, HEAD'],
    ['HEAD', '/v1/events', 'GET'],
    ['OPTIONS', '/v1/presence', 'POST, DELETE'],
    ['GET', '/v1/admin/members/seanclaude', 'PUT, DELETE'],
    ['PATCH', '/client/claude-net.mjs', 'GET, HEAD'],
  ])('%s %s is 405 and lists the allowed methods: %s', async (method, path, allow) => {
    const answer = await raw(hub, { method, path })
    expect(answer).toMatchObject({ status: 405, headers: { allow } })
    if (method !== 'HEAD')
      expect(errorOf(answer)).toMatchObject({ code: 'invalid', hint: expect.stringContaining(allow) })
  })

  test('an unknown path is 404 without Allow', async () => {
    const answer = await raw(hub, { method: 'PUT', path: '/v1/messages/a/b' })
    expect(answer.status).toBe(404)
    expect(answer.headers.allow).toBeUndefined()
  })
})

describe('HEAD', () => {
  const hub = sharedHub()

  test.each([
    '/healthz',
    '/readyz',
    '/metrics',
    '/openapi.json',
    '/join/AAAA-BBBB-CCCC-DDDD',
    '/client/claude-net.mjs',
    '/client/claude-net.json',
    '/v1/inbox',
    '/v1/machines',
    '/v1/messages?limit=1',
  ])('of %s responds like GET, without the body', async path => {
    const { token } = await hub.join('seanclaude')
    const got = await raw(hub, { path, token })
    const head = await raw(hub, { method: 'HEAD', path, token })
    expect(head).toMatchObject({ status: got.status, text: '' })
    expect(head.headers['content-type']).toBe(got.headers['content-type'])
    expect(head.headers['content-length']).toMatch(/^[1-9]\d*$/)
  })

  test('requires a token if GET does', async () => {
    expect(await raw(hub, { method: 'HEAD', path: '/v1/inbox' })).toMatchObject({ status: 401, text: '' })
    expect(await raw(hub, { method: 'HEAD', path: '/nowhere' })).toMatchObject({ status: 404, text: '' })
  })
})

describe('the scheme of the authorization header', () => {
  const hub = sharedHub()

  test.each(['Bearer ', 'bearer ', 'BEARER ', 'bEaReR   '])('is accepted as "%s"', async scheme => {
    const { token } = await hub.join('seanclaude')
    const headers = { authorization: `${scheme}${token}` }
    expect(await raw(hub, { path: '/v1/inbox', headers })).toMatchObject({ status: 200 })
  })

  test.each(['', 'Bearer', 'Basic ', 'Token ', 'Bearer Bearer '])('is not accepted as "%s"', async scheme => {
    const { token } = await hub.join('seanclaude')
    const headers = { authorization: `${scheme}${token}` }
    expect(await raw(hub, { path: '/v1/inbox', headers })).toMatchObject({ status: 401 })
  })

  test('in any case identifies the token of a failed login in the audit', async () => {
    const token = mintToken('machine')
    await raw(hub, { path: '/v1/inbox', headers: { authorization: `BEARER ${token}` } })
    const { lines } = await hub.client(hub.adminToken).call(api.listAudit, { query: { action: 'login', limit: 1 } })
    expect(lines[0]).toMatchObject({ tokenId: parseToken(token)!.id, result: 'unauthorized' })
  })
})

describe('A10: the host name of a request', () => {
  const hub = sharedHub()
  const ask = async (target: string, ...hosts: string[]) => {
    const lines = [...hosts.map(host => `Host: ${host}`), 'Connection: close']
    const answer = await rawBytes(hub, `GET ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    return Number(answer.split(' ')[1])
  }

  test.each([
    ['localhost', 'evil.example'],
    ['evil.example', 'localhost'],
    ['localhost', 'localhost'],
    ['127.0.0.1:1', ''],
  ])('two Host headers, "%s" and "%s", are refused', async (first, second) => {
    expect(await ask('/healthz', first, second)).toBe(400)
  })

  test.each([
    'http://evil.example/healthz',
    'https://evil.example/healthz',
    'HTTP://EVIL.EXAMPLE:3500/healthz',
    'http://localhost@evil.example/healthz',
    'http://evil.example@localhost/healthz',
    'http:///healthz',
    'ftp://localhost/healthz',
  ])('the target %s is refused', async target => {
    expect(await ask(target, 'localhost')).toBeGreaterThanOrEqual(400)
    expect(await ask(target, 'localhost')).toBeLessThan(500)
  })

  test('an absolute-form target with a name of the hub is accepted if the Host header has one too', async () => {
    for (const name of ['localhost', '127.0.0.1:3500', '[::1]:3500', 'LOCALHOST'])
      expect(await ask(`http://${name}/healthz`, 'localhost')).toBe(200)
    expect(await ask('http://localhost/healthz', 'evil.example')).toBe(403)
  })

  test('two tokens in one request are refused', async () => {
    const { token } = await hub.join('seanclaude')
    const two = [token, hub.adminToken].map(each => `Authorization: Bearer ${each}\r\n`).join('')
    const answer = await rawBytes(hub, `GET /v1/inbox HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${two}\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid"/)
  })
})

describe('requests that reach no route get an error of the usual form', () => {
  const hub = sharedHub()

  test.each([
    ['no HTTP', 'nonsense\r\n\r\n', 400, 'invalid'],
    ['a broken header', 'GET /healthz HTTP/1.1\r\nhost: a\r\nbro ken\r\n\r\n', 400, 'invalid'],
    ['too many headers', `GET /healthz HTTP/1.1\r\n${'x-filler: x\r\n'.repeat(3000)}\r\n`, 431, 'too_large'],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 403, 'forbidden'],
    ['another Expect', 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nexpect: 200-ok\r\n\r\n', 400, 'invalid'],
  ])('%s', async (_, bytes, status, code) => {
    const { socket, received } = dial(hub)
    socket.write(bytes)
    expect(errorIn(await received)).toMatchObject({ status, code })
  })

  test('a pipelined request is served when the hub stops, as the last one of its connection', async () => {
    const stopping = await startHub()
    const { token } = await stopping.join('ana')
    const get = `GET /v1/inbox HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n`
    const { socket, received } = dial(stopping)
    const ack = JSON.stringify({ ids: ['019b0000-0000-7000-8000-000000000001'] })
    socket.write(`${get.replace('GET /v1/inbox', 'POST /v1/inbox/ack')}content-type: application/json\r\n`)
    socket.write(`content-length: ${ack.length}\r\n\r\n`)
    await raw(stopping, { path: '/healthz' })
    const ended = stopping.stop()
    await until('the hub to refuse connections', async () => {
      const { socket } = dial(stopping)
      return await new Promise<boolean>(resolve => {
        socket.on('connect', () => resolve(false)).on('error', () => resolve(true))
      })
    })
    socket.write(`${ack}${get}\r\n`)
    const answers = (await received).split(/(?=HTTP\/1\.1 )/)
    expect(answers[0]).toMatch(/^HTTP\/1\.1 200 /)
    if (answers[1]) expect(answers[1]).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\nconnection: close\r\n/i)
    expect(await ended).toBe(0)
  })
})

describe('A18: slow clients', () => {
  const timeouts = { headersMs: 1000, requestMs: 2000 }

  test('a request head that arrives byte by byte is cut off; others are served meanwhile, and a head in two parts is accepted', async () => {
    const hub = await startHub({ config: { timeouts } })
    const head = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n'
    const slow = dial(hub)
    const writing = writeSlowly(slow.socket, head.padEnd(10_000, 'x-filler: x\r\n'))
    const patient = dial(hub)
    patient.socket.write(head.slice(0, 30))
    expect(await raw(hub, { path: '/healthz' })).toMatchObject({ status: 200 })
    patient.socket.write(`${head.slice(30)}\r\n`)
    expect(await patient.received).toMatch(/^HTTP\/1\.1 200 /)
    // If a connection is closed while it is written to, its response may be lost.
    expect(await slow.received).not.toMatch(/^HTTP\/1\.1 2/)
    await writing
  })

  test('a client that pauses within a request gets an error of the usual form', async () => {
    const hub = await startHub({ config: { timeouts } })
    const quiet = dial(hub)
    quiet.socket.write('GET /healthz HTTP/1.1\r\n')
    expect(errorIn(await quiet.received)).toMatchObject({ status: 408, code: 'invalid' })
  })

  test('a body that arrives byte by byte is cut off and not stored; one in two parts is accepted', async () => {
    const hub = await startHub({ config: { timeouts } })
    const [chas, sean] = [await hub.join('chasclaude'), await hub.join('seanclaude')]
    const request = (body: string) => {
      const fields = ['host: localhost', `authorization: Bearer ${chas.token}`, 'content-type: application/json']
      const length = `content-length: ${body.length}`
      return `POST /v1/messages HTTP/1.1\r\n${[...fields, length, 'connection: close'].join('\r\n')}\r\n\r\n`
    }
    const dripped = JSON.stringify({ to: 'seanclaude', body: 'dripped '.repeat(1000) })
    const slow = dial(hub)
    slow.socket.write(request(dripped))
    const writing = writeSlowly(slow.socket, dripped)
    const whole = JSON.stringify({ to: 'seanclaude', body: 'in two pieces' })
    const patient = dial(hub)
    patient.socket.write(request(whole) + whole.slice(0, 10))
    expect(await raw(hub, { path: '/v1/inbox', token: sean.token })).toMatchObject({ status: 200 })
    patient.socket.write(whole.slice(10))
    expect(await patient.received).toMatch(/^HTTP\/1\.1 201 /)
    expect(await slow.received).not.toMatch(/^HTTP\/1\.1 2/)
    await writing
    const { messages } = await sean.client.call(api.readInbox)
    expect(messages.map(({ body }) => body)).toEqual(['in two pieces'])
  })

  test('a stream that is never read is cut while others continue; a slow reader resumes from its cursor without a gap', {
    timeout: 180_000,
  }, async () => {
    const { hub, ana, ben, start, count } = await hubWithBacklog({
      timeouts: { streamDrainMs: 800 },
      limits: { streamsPerToken: 1 },
    })
    const other = await hub.join('seanclaude')
    const stalled = openStream(hub, ben, start)
    await once(stalled, 'readable')
    const listener = await new Listener(other.client).opened()

    // The token may have one stream: the next is accepted only once this one was cut.
    const second = () => openStatus(hub, ben)
    expect(await second()).toBe(429)
    await hub.client(ana).call(api.sendMessage, { body: { to: 'seanclaude', body: 'meanwhile' } })
    await listener.first(1)
    await until('the stalled stream is cut', async () => (await second()) === 200)

    const before = await readEvents(stalled)
    expect(before.seqs.length).toBeLessThan(count)
    await until('the probe is closed', async () => (await second()) === 200)
    const resumed = await until('the stream resumes', async () => {
      const socket = openStream(hub, ben, before.cursor)
      const after = await readEvents(socket, { until: count - before.seqs.length, pauseMs: 4 })
      return after.seqs.length > 0 && after
    })
    expect([...before.seqs, ...resumed.seqs].length).toBe(count)
    expect(new Set([...before.seqs, ...resumed.seqs]).size).toBe(count)
    expect([...before.seqs, ...resumed.seqs]).toEqual([...before.seqs, ...resumed.seqs].sort((a, b) => a - b))
  })
})

/** Opens a connection and collects everything received until its end. */
function dial(hub: TestHub): { socket: Socket; received: Promise<string> } {
  const socket = connect(Number(hub.url.port), hub.url.hostname)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  let text = ''
  socket.on('data', chunk => (text += chunk.toString('latin1')))
  return { socket, received: new Promise(resolve => socket.on('close', () => resolve(text))) }
}

/** Returns the error in the one response on a closed connection. Throws if it does not have the form of all errors. */
function errorIn(received: string): { status: number; code: string } {
  const [head = '', text = ''] = received.split('\r\n\r\n')
  const status = Number(head.split(' ')[1])
  expect(head.toLowerCase()).toContain(`content-length: ${text.length}`)
  expect(head.toLowerCase()).toContain('connection: close')
  return { status, ...errorOf({ status, headers: {}, text, json: JSON.parse(text) }) }
}

/** Writes a few bytes at a time until the other side closes the connection. */
async function writeSlowly(socket: Socket, text: string): Promise<void> {
  for (let at = 0; at < text.length && !socket.destroyed; at += 10) {
    socket.write(text.slice(at, at + 10))
    await delay(20)
  }
}

/**
 * Starts a hub on which `ben` has more receipts, after the cursor `start`, than the buffers of the kernel and of a stream hold. Receipts,
 * because an inbox accepts at most 10,000 unread messages.
 */
async function hubWithBacklog(config: Record<string, unknown>) {
  const dataDir = join(tempDir('hub'), 'data')
  const count = 35_000
  const store = new Store(dataDir)
  const [ana, ben] = store.addMembers(2)
  store.addReceipts(ben!, ana!, count)
  const { start } = store
  store[Symbol.dispose]()
  return { hub: await startHub({ dataDir, config }), ana: ana!.token, ben: ben!.token, start, count }
}

/** Opens a stream without reading from it. */
function openStream(hub: TestHub, token: string, cursor?: string): Socket {
  const socket = connect(Number(hub.url.port), hub.url.hostname)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  const resume = cursor === undefined ? '' : `last-event-id: ${cursor}\r\n`
  socket.write(
    `GET /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n${resume}\r\n`,
  )
  return socket
}

/** Returns the status of a new stream, which is closed at once. */
async function openStatus(hub: TestHub, token: string): Promise<number> {
  const socket = openStream(hub, token)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return Number(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString('latin1'))?.[1])
}

/** Reads whole events to the end of the stream, or at most `until` of them, with a pause after each chunk. */
async function readEvents(socket: Socket, options: { until?: number; pauseMs?: number } = {}) {
  let text = ''
  const seqs: number[] = []
  let cursor: string | undefined
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString('utf8')
    const whole = text.lastIndexOf('\n\n')
    if (whole < 0) continue
    for (const match of text.slice(0, whole).matchAll(/id: (\S+)\r?\nevent: receipt\ndata: \{"seq":(\d+)/g)) {
      cursor = match[1]
      seqs.push(Number(match[2]))
    }
    text = text.slice(whole)
    if (seqs.length >= (options.until ?? Number.POSITIVE_INFINITY)) break
    if (options.pauseMs) await delay(options.pauseMs)
  }
  return { seqs, cursor }
}
