import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import { maxBodyBytes } from '../../src/protocol/messages.ts'
import type { TestMember } from '../support/hub.ts'
import { type RawRequest, raw, rawBytes } from '../support/raw.ts'
import { expectRefused, traces } from '../support/refused.ts'
import { sharedHub } from '../support/shared-hub.ts'

const hub = sharedHub()
let ana: TestMember

beforeAll(async () => {
  ana = await hub.join('ana')
  await hub.join('ben')
})

const json = { 'content-type': 'application/json' }
const legal = { to: 'ben', body: 'hello' }
const text = JSON.stringify(legal)

/** Maximum size of a request in bytes, as in `hub/http/json-body.ts`. */
const maxRequestBytes = 256 * 1024

/** Expects a refusal of a send that would be stored without the changes in `spoiled`. */
function refused(spoiled: Partial<RawRequest>, code: ErrorCode, says: RegExp) {
  return expectRefused(hub, { path: '/v1/messages', method: 'POST', token: ana.token, ...spoiled }, code, says)
}

async function accepted(request: Partial<RawRequest>): Promise<void> {
  expect(await raw(hub, { path: '/v1/messages', token: ana.token, ...request })).toMatchObject({ status: 201 })
}

describe('A10: requests that a web page makes a browser send to the hub', () => {
  test.each(['http://evil.example', 'https://evil.example:3500', 'null', 'http://localhost:3500', ''])(
    'A10: the Origin "%s" is refused on every route, before the token is checked; without one the same request succeeds',
    async origin => {
      for (const path of ['/healthz', '/v1/inbox', '/nowhere']) {
        await refused({ path, method: 'GET', token: undefined, headers: { origin } }, 'forbidden', /web pages/)
      }
      const { headers } = await refused({ headers: { ...json, origin }, body: text }, 'forbidden', /web pages/)
      expect(Object.keys(headers).filter(name => name.startsWith('access-control'))).toEqual([])
      await accepted({ body: legal })
    },
  )

  test.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil.example:3500',
    '127.0.0.1@evil.example',
    'a b',
  ])('A10: the Host "%s" is refused', async host => {
    await refused({ headers: { ...json, host }, body: text }, 'forbidden', /Host/)
  })

  test.each(['localhost', 'LOCALHOST:3500', '127.0.0.1', '10.0.3.1:3500', '[::1]:3500'])(
    'A10: the Host %s is accepted',
    async host => {
      expect(await raw(hub, { path: '/healthz', headers: { host } })).toMatchObject({ status: 200 })
    },
  )

  test.each(['GET /v1/machines HTTP/1.1\r\nHost:', 'GET /v1/machines HTTP/1.0\r\nX-Forwarded-Host: localhost'])(
    'A10: a request without a host name (%j) is refused',
    async head => {
      const rest = `Connection: close\r\nAuthorization: Bearer ${ana.token}\r\n\r\n`
      expect(await rawBytes(hub, `${head}\r\n${rest}`)).toMatch(/^HTTP\/1\.1 403 [\s\S]*"code":"forbidden"/)
      expect(await rawBytes(hub, `GET /v1/machines HTTP/1.1\r\nHost: localhost\r\n${rest}`)).toMatch(/^HTTP\/1\.1 200 /)
    },
  )
})

test.each<[string, Record<string, string>, string | Buffer, RegExp]>([
  ['no content type', {}, text, /Content-Type/i],
  ['text/plain', { 'content-type': 'text/plain' }, text, /Content-Type/i],
  ["a web form's type", { 'content-type': 'application/x-www-form-urlencoded' }, 'to=ben&body=x', /Content-Type/i],
  ['a multipart form', { 'content-type': 'multipart/form-data; boundary=x' }, text, /Content-Type/i],
  ['a broken type', { 'content-type': 'application/json/json' }, text, /Content-Type/i],
  ['charset=utf-7', { 'content-type': 'application/json; charset=utf-7' }, text, /utf-7/],
  ['charset="utf-16"', { 'content-type': 'application/json;charset="utf-16"' }, text, /utf-16/],
  ['a byte order mark', json, `\u{feff}${text}`, /JSON/],
  ['gzip', { ...json, 'content-encoding': 'gzip' }, gzipSync(text), /compressed/],
])('A11: a body that an HTML form can send is rejected: %s', async (_, headers, body, says) => {
  await refused({ headers, body }, 'invalid', says)
  await accepted({ headers: json, body: text })
})

test.each(['OPTIONS', 'TRACE', 'PUT', 'PATCH', 'DELETE'])(
  'A12: %s on the route of sends is 405, even with a header that claims POST, and grants no CORS access',
  async method => {
    const before = await traces(hub)
    const claims = { 'x-http-method-override': 'POST', 'access-control-request-method': 'POST' }
    const answer = await raw(hub, { method, path: '/v1/messages', token: ana.token, headers: { ...json, ...claims } })
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'POST, GET, HEAD' } })
    expect(Object.keys(answer.headers).filter(name => name.startsWith('access-control'))).toEqual([])
    expect(await traces(hub, before)).toEqual(before)
    await accepted({ headers: { ...json, ...claims }, body: text })
  },
)

test('A12: HEAD on the route of sends is a GET without a body, even with a header that claims POST', async () => {
  const before = await traces(hub)
  const headers = { ...json, 'x-http-method-override': 'POST' }
  const answer = await raw(hub, { method: 'HEAD', path: '/v1/messages', token: ana.token, headers })
  expect(answer).toMatchObject({ status: 200, text: '' })
  expect(await traces(hub, before)).toEqual(before)
})

test.each<[string, (depth: number) => string]>([
  ['arrays', depth => `${'['.repeat(depth)}${']'.repeat(depth)}`],
  ['objects', depth => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`],
  ['arrays in a field', depth => `{"to":"ben","body":"x","replyTo":${'['.repeat(depth)}${']'.repeat(depth)}}`],
  ['arrays behind strings with quotes', depth => `["\\"","\\\\",${'['.repeat(depth)}${']'.repeat(depth)}]`],
])('A15: JSON of %s nested 100 or 40,000 levels deep is a 4xx on every route that reads a body', async (_, nested) => {
  for (const depth of [100, 40_000]) {
    for (const path of ['/v1/messages', '/v1/join', '/v1/inbox/ack', '/mcp']) {
      await refused({ path, headers: json, body: nested(depth) }, 'invalid', /levels deep/)
    }
  }
  await accepted({ headers: json, body: JSON.stringify({ to: 'ben', body: '['.repeat(1000) }) })
})

test('A12: CONNECT opens no tunnel', async () => {
  const answer = await rawBytes(hub, 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n').catch(() => '')
  expect(answer).not.toMatch(/^HTTP\/1\.1 2/)
  expect(await raw(hub, { path: '/healthz' })).toMatchObject({ status: 200 })
})

describe('A13: bytes that two parsers could read differently', () => {
  const head = () => `POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${ana.token}\r\n`
  const type = 'content-type: application/json\r\n'
  const length = `content-length: ${text.length}\r\n`
  const second = `GET /v1/admin/members HTTP/1.1\r\nhost: localhost\r\n\r\n`

  test.each<[string, () => string]>([
    ['both lengths', () => `${head()}${type}${length}transfer-encoding: chunked\r\n\r\n0\r\n\r\n${second}`],
    ['two different lengths', () => `${head()}${type}content-length: 5\r\n${length}\r\n${text}`],
    ['two equal lengths', () => `${head()}${type}${length}${length}\r\n${text}`],
    ['a list of lengths', () => `${head()}${type}content-length: ${text.length}, ${text.length}\r\n\r\n${text}`],
    ['a length with a sign', () => `${head()}${type}content-length: +${text.length}\r\n\r\n${text}`],
    ['bare line feeds', () => `${head()}${type}${length}\r\n${text}`.replaceAll('\r\n', '\n')],
    ['a folded header', () => `${head()}${type}x-folded: a\r\n b\r\n${length}\r\n${text}`],
    ['a space before the colon', () => `${head()}${type}content-length : ${text.length}\r\n\r\n${text}`],
    ['a zero byte in a header', () => `${head()}${type}x: a\0b\r\n${length}\r\n${text}`],
    ['a chunk of size x', () => `${head()}${type}transfer-encoding: chunked\r\n\r\nx\r\n${text}\r\n0\r\n\r\n`],
    ['an unknown coding', () => `${head()}${type}transfer-encoding: chunked, identity\r\n\r\n${text}`],
    ['100,000 headers', () => `${head()}${'x: y\r\n'.repeat(100_000)}${type}${length}\r\n${text}`],
    ['a URL of 1 MB', () => `GET /${'a'.repeat(1024 * 1024)} HTTP/1.1\r\nhost: localhost\r\n\r\n`],
    ['no host', () => 'GET /healthz HTTP/1.1\r\n\r\n'],
    ['no method', () => 'nonsense\r\n\r\n'],
    ['a version to come', () => 'GET / HTTP/9.9\r\nhost: localhost\r\n\r\n'],
    ['zero bytes', () => '\0\0\0\0\r\n\r\n'],
  ])('A13: %s get a 4xx and a closed connection, and nothing is stored', async (_, bytes) => {
    const before = await traces(hub)
    // If the hub closes the connection during the write, the response may be lost; it is never a 2xx.
    const answer = await rawBytes(hub, bytes()).catch((error: Error) => error.message)
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d |ECONNRESET|EPIPE/)
    expect(answer.match(/HTTP\/1\.1 /g)?.length ?? 1).toBe(1)
    expect(await traces(hub, before)).toEqual(before)
  })

  test('A13: a request that begins like TLS is not interpreted as anything else, and nothing is stored', async () => {
    const before = await traces(hub)
    const record = `\x16\x03\x01\x00\x05GET /${head()}${type}${length}\r\n${text}`
    // A TLS alert (RFC 8446, section 6), and the end of the connection.
    expect(await rawBytes(hub, record).catch((error: Error) => error.message)).toMatch(/^\x15\x03|ECONNRESET|EPIPE/)
    expect(await traces(hub, before)).toEqual(before)
  })

  test('A13: the same request with one length, or in chunks, is stored', async () => {
    const close = 'connection: close\r\n'
    expect(await rawBytes(hub, `${head()}${close}${type}${length}\r\n${text}`)).toMatch(/^HTTP\/1\.1 201 /)
    const chunks = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
    expect(await rawBytes(hub, `${head()}${close}${type}transfer-encoding: chunked\r\n\r\n${chunks}`)).toMatch(
      /^HTTP\/1\.1 201 /,
    )
  })
})

describe('A14: sizes', () => {
  test.each<[string, string, string]>([
    ['of ASCII', 'x'.repeat(maxBodyBytes), 'x'],
    ['of characters of two bytes', 'é'.repeat(maxBodyBytes / 2), 'x'],
    ['of characters that are six times as long escaped', '\u0001'.repeat(maxBodyBytes), '\u0001'],
  ])('A14: a text may have at most 32 KiB of UTF-8, counted in bytes: %s', async (_, most, more) => {
    await accepted({ body: { ...legal, body: most } })
    await refused({ headers: json, body: JSON.stringify({ ...legal, body: most + more }) }, 'too_large', /32769 bytes/)
  })

  test('A14: a request may have at most 256 KiB', async () => {
    await accepted({ headers: json, body: text.padEnd(maxRequestBytes) })
    const { status } = await refused({ headers: json, body: text.padEnd(maxRequestBytes + 1) }, 'too_large', /262144/)
    expect(status).toBe(413)
  })

  test('A14: a request that announces 1 TB is refused before it is read', async () => {
    const headers = { ...json, 'content-length': '1000000000000' }
    await refused({ headers, body: text }, 'too_large', /262144/)
  })

  test('A14: an endless chunked body is cut off at the same size', async () => {
    const socket = connect(hub.port, '127.0.0.1').on('error', () => {})
    onTestFinished(() => void socket.destroy())
    // Not `once`, which would reject if the hub is so fast that an error precedes the close.
    const closed = new Promise(resolve => socket.on('close', resolve))
    let answer = ''
    socket.on('data', chunk => (answer += chunk.toString('latin1')))
    const head = `POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${ana.token}\r\n`
    socket.write(`${head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`)
    const chunk = `2000\r\n${' '.repeat(0x2000)}\r\n`
    for (let sent = 0; !socket.destroyed && sent < 10_000; sent++) {
      socket.write(chunk)
      await delay(0)
    }
    await closed
    expect(answer).toMatch(/^(HTTP\/1\.1 413 |$)/)
    expect(socket.bytesWritten).toBeLessThan(64 * 1024 * 1024)
  })
})

describe('A15: malicious JSON', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  const keys = (count: number) =>
    JSON.stringify({ ...legal, ...Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1])) })
  const inText = (part: string) => `{"to":"ben","body":"hello${part}"}`

  test.each<[string, string | Buffer, ErrorCode, RegExp]>([
    ['lists 10,000 deep', nested(10_000), 'invalid', /^body: /],
    ['lists 100,000 deep', nested(100_000), 'invalid', /^body: /],
    ['a text 10,000 deep', `{"to":"ben","body":${nested(10_000)}}`, 'invalid', /levels deep/],
    ['objects 20,000 deep', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, 'invalid', /levels deep/],
    ['20,000 unknown fields', keys(20_000), 'invalid', /k0/],
    ['100,000 unknown fields', keys(100_000), 'too_large', /bytes/],
    ['a number for a text', '{"to":"ben","body":1e999}', 'invalid', /^body\.body/],
    ['an own __proto__', `{"to":"ben","body":"x","__proto__":{"from":"x"}}`, 'invalid', /__proto__/],
    ['a __proto__ that supplies the text', `{"to":"ben","__proto__":{"body":"x"}}`, 'invalid', /^body/],
    ['a constructor', `{"to":"ben","body":"x","constructor":{"prototype":{}}}`, 'invalid', /constructor/],
    ['half a surrogate pair', inText('\\ud800'), 'invalid', /surrogate/],
    ['a pair the wrong way round', inText('\\udc00\\ud800'), 'invalid', /surrogate/],
    ['a surrogate in CESU-8', Buffer.from(inText('\xed\xa0\x80'), 'latin1'), 'invalid', /UTF-8/],
    ['a byte that UTF-8 does not have', Buffer.from(inText('\xff'), 'latin1'), 'invalid', /UTF-8/],
    ['an overlong encoding', Buffer.from(inText('\xc0\xaf'), 'latin1'), 'invalid', /UTF-8/],
  ])('A15: %s', async (_, body, code, says) => {
    await refused({ headers: json, body }, code, says)
  })

  test('A15: of a duplicate field only the last value counts, and is validated', async () => {
    await refused({ headers: json, body: '{"from":"ben","to":"ben","body":"x","from":"ben"}' }, 'forbidden', /'from'/)
    await accepted({ headers: json, body: '{"to":"nobody","body":"x","to":"ben"}' })
  })

  test('A15: a complete surrogate pair, an escaped zero and a text called __proto__ are valid texts', async () => {
    for (const body of ['\ud83d\ude00', 'a\0b', '__proto__', 'constructor']) {
      const { id } = await ana.client.call(api.sendMessage, { body: { to: 'ben', body } })
      expect((await ana.client.call(api.getMessage, { params: { id } })).message.body).toBe(body)
    }
  })
})

const tricks = [
  "ben' or '1'='1",
  "ben'; drop table message; --",
  'ben%',
  'b_n',
  'b*',
  '>',
  'ben.ana',
  'ben OR ana',
  'ben\0',
  'bеn',
  'ben\u200b',
  '$(reboot)',
]

test.each(tricks)('A16: the name %j matches no member, in a send, a history, an alias or an invitation', async name => {
  const ask = { path: `/v1/messages?with=${encodeURIComponent(name)}`, method: 'GET' }
  await refused({ headers: json, body: JSON.stringify({ ...legal, to: name }) }, 'not_found', /^No member/)
  await refused(ask, 'not_found', /^No member/)
  const admin = { token: hub.adminToken, headers: json }
  await refused({ ...admin, path: '/v1/admin/invites', body: JSON.stringify({ name }) }, 'invalid', /^body\.name/)
  const alias = { path: '/v1/admin/aliases/nick', method: 'PUT', body: JSON.stringify({ member: name }) }
  await refused({ ...admin, ...alias }, 'not_found', /^No member/)
  await accepted({ body: { ...legal, to: ' @BEN ' } })
})

test.each(['"', '"*', 'a AND', 'NEAR(', 'body:', '* OR 1=1', "'; drop table message; --", '%', '_'])(
  'A16: a search for %j searches for these words, and finds them',
  async q => {
    await ana.client.call(api.sendMessage, { body: { to: 'ben', body: `findme ${q} here` } })
    const { messages } = await ana.client.call(api.listMessages, { query: { q: `findme ${q}` } })
    expect(messages.map(({ message }) => message.body)).toContain(`findme ${q} here`)
  },
)

test.each([
  '/client/../../../etc/passwd',
  '/client/%2e%2e/%2e%2e/admin.token',
  '/client/..%2f..%2fadmin.token',
  '/client/claude-net.mjs/../admin.token',
  '/client//etc/passwd',
  '/client/claude-net.mjs%00.txt',
  '/join/../../admin.token',
  '/v1/messages/..%2f..%2fadmin.token',
  '/v1/messages/../admin/members',
  '/v1/admin/members/..%2f..%2fetc',
  '//evil.example/v1/inbox',
])('A17: the path %s reaches no file and no other route', async path => {
  // Sent as raw bytes, since a client would normalize the path.
  const head = `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n`
  const answer = await rawBytes(hub, `${head}authorization: Bearer ${ana.token}\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
  expect(answer).not.toContain('root:')
  expect(answer).not.toContain(hub.adminToken)
  expect(await raw(hub, { path: '/client/claude-net.mjs' })).toMatchObject({ status: 200 })
})

test('A24: no response names its software, a path of the hub or a line of its code', async () => {
  const requests: RawRequest[] = [
    { path: '/healthz' },
    { path: '/v1/messages', token: ana.token, body: legal },
    { path: '/v1/messages', token: ana.token, headers: json, body: '{' },
    { path: '/v1/messages', token: ana.token, body: { ...legal, to: "'" } },
    { path: '/v1/messages/%ff', token: ana.token },
    { path: '/v1/inbox' },
    { path: '/nowhere' },
    { path: `/v1/messages/${'a'.repeat(5000)}` },
  ]
  for (const request of requests) {
    const { headers, text } = await raw(hub, request)
    expect(headers.server).toBeUndefined()
    expect(headers['x-powered-by']).toBeUndefined()
    expect(text).not.toMatch(/node_modules|fastify|FST_ERR|sqlite|\.ts\b|\.m?js:|\n\s+at |select |insert /i)
    expect(text).not.toContain(hub.dataDir)
  }
})
