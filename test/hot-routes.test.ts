import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { maxBodyBytes } from '../src/protocol/messages.ts'
import { type RawAnswer, type RawRequest, raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'

const hub = sharedHub()
const tokens: Record<string, string | undefined> = { none: undefined, wrong: 'cn_nonsense' }

beforeAll(async () => {
  const [sean] = await Promise.all(['seanclaude', 'chasclaude'].map(name => hub.join(name)))
  await sean!.client.call(api.sendMessage, {
    body: { to: 'seanclaude', body: 'one that is unread' },
  })
  Object.assign(tokens, { member: sean!.token, admin: hub.adminToken })
})

/** Returns a response without the headers that differ for each request. */
function comparable({ status, headers, text }: RawAnswer) {
  const { date: _, 'keep-alive': __, ...rest } = headers
  const plain = text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replace(/"seq":\d+/g, '"seq":0')
    .replace(/"20[^"]+Z"/g, '"TIME"')
    .replace(/"cursor":"[^"]+"/g, '"cursor":"PLACE"')
  return { status, headers: { ...rest, 'content-length': undefined }, text: plain }
}

const id = fc.constantFrom<() => unknown>(
  newMessageId,
  () => undefined,
  () => 'no-id',
  () => 7,
)
const text = fc.constantFrom('hello', '', 'é\u0000"\\', 'x'.repeat(maxBodyBytes + 1), 'ü'.repeat(30_000))
const odd = fc.oneof(fc.jsonValue(), fc.constant({ from: 'chasclaude' }))

/** Bodies, created again for every request: ids are used once. */
const bodies: fc.Arbitrary<() => unknown> = fc.oneof(
  fc
    .record({
      id,
      to: fc.constantFrom<unknown>(
        'chasclaude',
        ['chasclaude', 'seanclaude'],
        'all',
        'nobody',
        'chasclaud',
        [],
        5,
        'hub',
      ),
      body: text,
      replyTo: id,
      intent: fc.constantFrom(undefined, 'urgent', 'inform', 'shout'),
      expiresInS: fc.constantFrom(undefined, 60, 0, -1, 1e12),
    })
    .map(record => () => ({ ...record, id: record.id(), replyTo: record.replyTo() })),
  fc
    .record({ ids: fc.array(id, { maxLength: 3 }), session: fc.constantFrom(undefined, 's-1', '', 's'.repeat(500)) })
    .map(({ ids, session }) => () => ({ ids: ids.map(make => make()), session })),
  fc
    .record({ session: fc.constantFrom('s-1', undefined), client: fc.constantFrom('test/1', undefined, 5) })
    .map(record => () => record),
  odd.map(value => () => value),
  fc
    .constantFrom<unknown>(
      '{',
      '{"to":',
      '',
      '"',
      Buffer.from([0x22, 0xff, 0x22]),
      `${'['.repeat(70)}${']'.repeat(70)}`,
      'null',
    )
    .map(bytes => () => bytes),
)

const headers: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { 'content-type': 'application/json; charset=utf-8' },
      { 'content-type': 'application/json; charset=latin1' },
      { 'content-type': 'text/plain' },
      { 'content-encoding': 'gzip' },
      { host: 'elsewhere.example' },
      { host: 'localhost:3500' },
      { origin: 'http://evil.example' },
      { 'x-forwarded-for': '10.0.0.1' },
      { 'user-agent': 'curl/8' },
      { 'claude-net-kept': '1' },
    ),
  },
)

const request = fc.record({
  route: fc.constantFrom(
    ['POST', '/v1/messages'],
    ['GET', '/v1/inbox'],
    ['POST', '/v1/inbox/fetched'],
    ['POST', '/v1/inbox/ack'],
    ['POST', '/v1/presence'],
  ),
  token: fc.oneof({ weight: 5, arbitrary: fc.constant('member') }, fc.constantFrom('admin', 'none', 'wrong')),
  headers,
  body: bodies,
})

test('a hot route responds to any request as the framework does', async () => {
  await fc.assert(
    fc.asyncProperty(request, async ({ route, token, headers, body }) => {
      const [method, path] = route as [string, string]
      const make = (to: string): RawRequest => {
        const isPlain = (value: unknown) => typeof value === 'string' || Buffer.isBuffer(value)
        const value = method === 'GET' ? undefined : body()
        const type: Record<string, string> = isPlain(value) ? { 'content-type': 'application/json' } : {}
        return { method, path: to, token: tokens[token], headers: { ...type, ...headers }, body: value }
      }
      // With an empty query, the path is not in the table of hot routes, but the framework treats it as the same path.
      const [hot, framework] = [await raw(hub, make(path)), await raw(hub, make(`${path}?`))]
      expect(comparable(hot)).toEqual(comparable(framework))
    }),
    { numRuns: 300 },
  )
})

test('hot routes are counted in the metrics like any other', async () => {
  const count = async () => {
    const { text } = await raw(hub, { path: '/metrics', token: hub.adminToken })
    const line = (status: number) =>
      Number(
        new RegExp(`^claude_net_http_requests_total\\{.*route="/v1/messages".*status="${status}"\\} (\\d+)`, 'm').exec(
          text,
        )?.[1] ?? 0,
      )
    return [line(201), line(400)]
  }
  const [stored, refused] = (await count()) as [number, number]
  for (const path of ['/v1/messages', '/v1/messages?']) {
    await raw(hub, { path, token: tokens.member, body: { to: 'chasclaude', body: 'hello' } })
    await raw(hub, { path, token: tokens.member, body: { to: 5 } })
  }
  expect(await count()).toEqual([stored + 2, refused + 2])
})
