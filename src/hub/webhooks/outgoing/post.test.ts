import { createServer as createTcp, type Server, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { testIdentity } from '../../../../test/support/test-identity.ts'
import { failureInWords, isOutage, post } from './post.ts'
import { newSecret, signedHeaders } from './sign.ts'

const noEnd = new AbortController().signal

/** Returns the port of `server`, which listens on loopback until the end of the test. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

async function answeredBy(serve: (socket: Socket) => unknown, timeoutMs = 5000) {
  const sockets: Socket[] = []
  const server = createTcp(socket => {
    sockets.push(socket.on('error', () => {}))
    serve(socket)
  })
  const port = await listen(server)
  const result = await post(
    { url: `http://127.0.0.1:${port}/`, id: 'message_1', body: '{}', secrets: [newSecret()] },
    { timeoutMs, signal: noEnd },
  )
  return { result, sockets }
}

/** Returns a server that writes `answer` once it has received some of the request. */
const says = (answer: string) => (socket: Socket) => socket.once('data', () => void socket.write(answer))

test('the signature is that of the example of Standard Webhooks', () => {
  const headers = signedHeaders(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    atS: 1614265330,
    body: '{"test": 2432232314}',
  })
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

test.each([
  ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', { ok: true, status: 204 }],
  [
    'a 200 whose body never ends',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello',
    { ok: true, status: 200 },
  ],
  [
    'a redirect',
    'HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
    { ok: false, why: 'status 301', status: 301 },
  ],
  [
    'a 429 with seconds',
    'HTTP/1.1 429 Slow\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n',
    { ok: false, why: 'status 429', status: 429, retryAfterMs: 120_000 },
  ],
  [
    'a 503 with an invalid Retry-After',
    'HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n',
    { ok: false, why: 'status 503', status: 503 },
  ],
  [
    'a 429 with a past date',
    'HTTP/1.1 429 No\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n',
    { ok: false, why: 'status 429', status: 429, retryAfterMs: 0 },
  ],
  [
    'a 410',
    'HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n',
    { ok: false, why: 'status 410', status: 410, isGone: true },
  ],
  [
    'another protocol',
    'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    { ok: false, why: 'upgrade' },
  ],
])('%s has its result', async (_, answer, result) => {
  expect((await answeredBy(says(answer))).result).toEqual(result)
})

test.each([
  ['sends nothing', (socket: Socket) => void socket.resume()],
  ['sends hints without end', (socket: Socket) => drip(socket, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')],
  ['sends its headers a byte at a time', (socket: Socket) => drip(socket, 'H', 'HTTP/1.1 200 OK\r\nA: ')],
])('a receiver that %s times out, and its connection is closed', async (_, serve) => {
  const { result, sockets } = await answeredBy(serve, 300)
  expect(result).toEqual({ ok: false, why: 'timeout' })
  await Promise.all(sockets.map(socket => socket.closed || new Promise(resolve => socket.on('close', resolve))))
})

/** Writes `text` again and again until the connection ends, `first` before it. */
function drip(socket: Socket, text: string, first = ''): void {
  socket.once('data', () => {
    socket.write(first)
    const timer = setInterval(() => socket.write(text), 10)
    socket.on('close', () => clearInterval(timer))
  })
}

test('the connection of an endless response is closed once its status is known', async () => {
  const big = 'x'.repeat(65_536)
  const { result, sockets } = await answeredBy(socket =>
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const more = (): unknown => socket.writable && socket.write(big, more)
      more()
    }),
  )
  expect(result).toEqual({ ok: true, status: 200 })
  await new Promise(resolve => (sockets[0]!.closed ? resolve(null) : sockets[0]!.on('close', resolve)))
})

test.each([
  ['headers of 100 KiB', says(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(100_000)}\r\n\r\n`), 'HPE_HEADER_OVERFLOW'],
  ['no HTTP', says('SSH-2.0-OpenSSH_9.2\r\n'), 'HPE_INVALID_CONSTANT'],
  ['a connection that is closed', (socket: Socket) => socket.once('data', () => void socket.end()), 'ECONNRESET'],
  [
    'a connection that is reset',
    (socket: Socket) => socket.once('data', () => void socket.resetAndDestroy()),
    'ECONNRESET',
  ],
] as const)('%s is a failure with its code', async (_, serve, why) => {
  const { result } = await answeredBy(serve)
  expect(result).toMatchObject({ ok: false, why })
})

test('a refused connection, an unknown host name and an untrusted certificate are reported in words', async () => {
  const tls = createTls({
    key: testIdentity.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: testIdentity.certificate,
  })
  const port = await listen(tls)
  const of = async (url: string) => {
    const result = await post({ url, id: 'x', body: '{}', secrets: [] }, { timeoutMs: 5000, signal: noEnd })
    return result.ok ? 'delivered' : failureInWords(result.why)
  }
  expect(await of('http://127.0.0.1:1/')).toBe('it refused the connection')
  expect(await of(`https://127.0.0.1:${port}/`)).toMatch(/^its certificate is /)
  expect(await of('http://no-such-host.invalid/')).toMatch(/^its name /)
  // Certificates are verified even if the environment disables that.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  onTestFinished(() => void delete process.env.NODE_TLS_REJECT_UNAUTHORIZED)
  expect(await of(`https://127.0.0.1:${port}/`)).toMatch(/^its certificate is /)
})

test('isOutage is true for failures that do not depend on the event', () => {
  expect(['timeout', 'ECONNREFUSED', 'status 429', 'status 503'].map(isOutage)).toEqual([true, true, true, true])
  expect(['status 400', 'status 404', 'status 500', 'status 301'].map(isOutage)).toEqual([false, false, false, false])
  expect(failureInWords('status 302')).toBe('it returned 302, a redirect, which is not followed')
  expect(failureInWords('EWEIRD')).toBe('it could not be reached (EWEIRD)')
})
