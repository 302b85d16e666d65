import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { mintJoinCode } from '../src/protocol/join-code.ts'
import { mintToken } from '../src/protocol/token.ts'
import { startHub, type TestHub, type TestMember } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { startMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { errorOf, type RawAnswer, raw } from './support/raw.ts'
import { until } from './support/until.ts'

/** All limits off; each test enables those that it checks. */
const off = {
  sends: null,
  pair: null,
  daily: null,
  loop: null,
  broadcasts: null,
  reads: null,
  failures: null,
  streamsPerToken: null,
  connections: null,
  connectionsPerToken: null,
  strangers: null,
  unreadBytes: null,
  unreadBytesPerToken: null,
}

/** Refills so slowly that nothing is added while a test runs. */
const once3 = { perMinute: 0.01, burst: 3 }

const elsewhere = '127.0.0.2'

function startLimited(limits: Record<string, unknown>): Promise<TestHub> {
  return startHub({ config: { limits: { ...off, ...limits } } })
}

function send(hub: TestHub, from: TestMember, to: string | string[], id?: string): Promise<RawAnswer> {
  return raw(hub, { path: '/v1/messages', token: from.token, body: { id, to, body: 'hello' } })
}

async function statuses(times: number, ask: () => Promise<RawAnswer>): Promise<number[]> {
  const seen = []
  for (let i = 0; i < times; i++) seen.push((await ask()).status)
  return seen
}

async function unreadOf({ client }: TestMember): Promise<number> {
  return (await client.call(api.readInbox)).unread
}

/** Expects a 429 in the form that clients support, with the same time in its body and its header. Returns that time, in ms. */
function expectLimited(answer: RawAnswer): number {
  const { code, retryAfterMs, hint } = errorOf(answer)
  expect({ status: answer.status, code }).toEqual({ status: 429, code: 'rate_limited' })
  expect(retryAfterMs).toBeGreaterThan(0)
  expect(answer.headers['retry-after']).toBe(String(Math.ceil(retryAfterMs! / 1000)))
  expect(hint).toMatch(/again in \d+ s/)
  return retryAfterMs!
}

describe('A19: sends', () => {
  test('a token above its rate is told when to retry, no more of it is stored, and others send as before', async () => {
    const hub = await startLimited({ sends: { perMinute: 60, burst: 4 } })
    const [chas, jaz, sean] = [await hub.join('chas'), await hub.join('jaz'), await hub.join('sean')]
    const answers = await Promise.all(Array.from({ length: 40 }, () => send(hub, chas, 'sean')))
    const stored = answers.filter(({ status }) => status === 201).length
    expect(stored).toBeGreaterThanOrEqual(4)
    expect(stored).toBeLessThan(20)
    for (const answer of answers.filter(({ status }) => status !== 201)) {
      expect(expectLimited(answer)).toBeLessThanOrEqual(1000)
    }
    expect(await send(hub, jaz, 'sean')).toMatchObject({ status: 201 })
    expect(await unreadOf(sean)).toBe(stored + 1)
    expect(await unreadOf(chas)).toBe(0)
  })

  test('a client that waits as told succeeds, and the refused id is still free', async () => {
    const hub = await startLimited({ sends: { perMinute: 120, burst: 1 } })
    const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
    const id = newMessageId()
    await send(hub, chas, 'sean')
    expectLimited(await send(hub, chas, 'sean', id))
    expect(
      await until('it is stored', async () => {
        const answer = await send(hub, chas, 'sean', id)
        return answer.status !== 429 && answer
      }),
    ).toMatchObject({ status: 201, json: { id } })
    expect(await unreadOf(sean)).toBe(2)
  })

  test('one sender cannot flood one recipient under any of its names; other pairs are not affected', async () => {
    const hub = await startLimited({ pair: once3 })
    const [chas, jaz, sean] = [await hub.join('chas'), await hub.join('jaz'), await hub.join('sean')]
    const admin = hub.client(hub.adminToken)
    await admin.call(api.putAlias, { params: { name: 'seanclaude' }, body: { member: 'sean' } })
    for (const to of ['sean', 'seanclaude', ['sean', 'seanclaude']])
      expect((await send(hub, chas, to)).status).toBe(201)
    for (const to of ['sean', 'seanclaude', ['jaz', 'sean']]) expectLimited(await send(hub, chas, to))
    // The list was refused as a whole: it reached no member and did not count for the other pair.
    expect(await unreadOf(jaz)).toBe(0)
    expect(await statuses(3, () => send(hub, chas, 'jaz'))).toEqual([201, 201, 201])
    expect(await send(hub, jaz, 'sean')).toMatchObject({ status: 201 })
    expect(await send(hub, sean, 'chas')).toMatchObject({ status: 201 })
    expect(await unreadOf(sean)).toBe(4)
  })

  test("'all' and groups share a separate limit; single recipients are not part of it", async () => {
    const hub = await startLimited({ broadcasts: once3, pair: { perMinute: 0.01, burst: 1 } })
    const [chas, jaz, sean] = [await hub.join('chas'), await hub.join('jaz'), await hub.join('sean')]
    const admin = hub.client(hub.adminToken)
    await admin.call(api.putGroup, { params: { name: 'team' }, body: { members: ['sean', 'jaz'] } })
    for (const to of ['all', 'team', ['sean', 'team']]) expect((await send(hub, chas, to)).status).toBe(201)
    for (const to of ['all', 'team', ['sean', 'all']]) expectLimited(await send(hub, chas, to))
    expect(await send(hub, chas, 'sean')).toMatchObject({ status: 201 })
    expect(await send(hub, jaz, 'all')).toMatchObject({ status: 201 })
    expect([await unreadOf(sean), await unreadOf(jaz)]).toEqual([5, 3])
  })

  test('an unknown name is reported as usual', async () => {
    const hub = await startLimited({ pair: once3, broadcasts: once3 })
    const chas = await hub.join('chas')
    expect(await statuses(5, () => send(hub, chas, 'nobody'))).toEqual([404, 404, 404, 404, 404])
  })

  test('a machine over its limit is told so, and the messages in its outbox are still sent completely and in order', async () => {
    const sends = { perMinute: 0.01, burst: 1 }
    const hub = await startLimited({ sends })
    const sean = await hub.join('sean')
    const chas = await startMachine(hub, 'chas')
    const say = (text: string) => chas.run(['send', 'sean', text])
    expect(await say('at once')).toMatchObject({ code: 0 })
    expect(await say('too soon')).toMatchObject({ code: 1, stderr: expect.stringMatching(/again in \d+ s/) })
    await hub.stop()
    const texts = ['first', 'second', 'third']
    for (const text of texts) expect(await say(text)).toMatchObject({ code: 75 })
    sends.perMinute = 120
    await hub.start()
    // Every command of the machine sends kept messages, as far as the limit allows.
    const messages = await until('all have arrived', async () => {
      await chas.run(['inbox'])
      const { messages } = await sean.client.call(api.readInbox)
      return messages.length > texts.length && messages
    })
    expect(messages.map(({ body }) => body)).toEqual(['at once', ...texts])
  })

  test('by default a burst of 120 passes, and 600 at once do not', async () => {
    const hub = await startHub({ config: { limits: { loop: null } } })
    const [chas] = [await hub.join('chas'), await hub.join('sean'), await hub.join('jaz')]
    const burst = Array.from({ length: 120 }, (_, index) => send(hub, chas, index % 2 ? 'sean' : 'jaz'))
    expect((await Promise.all(burst)).filter(({ status }) => status !== 201)).toEqual([])
    const flood = await Promise.all(
      Array.from({ length: 480 }, (_, index) => send(hub, chas, index % 2 ? 'sean' : 'jaz')),
    )
    expect(flood.filter(({ status }) => status === 429).length).toBeGreaterThan(300)
  })
})

describe('reads', () => {
  test('a token above its rate of reads is told to wait; its sends and the requests of others are not affected', async () => {
    const hub = await startLimited({ reads: once3 })
    const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
    const read = (member: TestMember) => raw(hub, { path: '/v1/inbox', token: member.token })
    expect(await statuses(4, () => read(chas))).toEqual([200, 200, 200, 429])
    expectLimited(await raw(hub, { path: '/v1/machines', token: chas.token }))
    expect(await send(hub, chas, 'sean')).toMatchObject({ status: 201 })
    expect(await read(sean)).toMatchObject({ status: 200 })
  })
})

describe('calls by POST /mcp', () => {
  const call = { jsonrpc: '2.0', method: 'tools/call', params: { name: 'claude_net_machines', arguments: {} } }
  const post = (hub: TestHub, { token }: TestMember, body: unknown) => {
    const headers = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-03-26' }
    return raw(hub, { path: '/mcp', token, headers, body })
  }
  const batch = (length: number, of: object = call) => Array.from({ length }, (_, id) => ({ ...of, id }))

  test('each call of a batch counts as a request, and so does each request of its tool', async () => {
    const hub = await startLimited({ reads: { perMinute: 0.01, burst: 12 } })
    const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
    // Five calls, and the reads of each.
    const answer = await post(hub, chas, batch(5))
    expect(answer.status).toBe(200)
    expect(answer.text.match(/You are chas/g)).toHaveLength(5)
    expectLimited(await post(hub, chas, batch(5)))
    expectLimited(await raw(hub, { path: '/v1/inbox', token: chas.token }))
    // This also applies to batches of other requests than tool calls.
    expectLimited(await post(hub, sean, batch(20, { jsonrpc: '2.0', method: 'tools/list' })))
  })

  test('a batch over the limit sends nothing', async () => {
    const hub = await startLimited({ reads: { perMinute: 0.01, burst: 3 } })
    const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
    const send = { ...call, params: { name: 'claude_net_send', arguments: { to: 'sean', message: 'hello' } } }
    expectLimited(await post(hub, chas, batch(10, send)))
    expect(await unreadOf(sean)).toBe(0)
  })

  test('a batch of more than 100 calls is refused', async () => {
    const hub = await startLimited({})
    const answer = await post(hub, await hub.join('chas'), batch(101))
    expect(answer.status).toBe(413)
    expect(errorOf(answer).code).toBe('too_large')
  })
})

describe('A09: guesses', () => {
  const guess = (hub: TestHub, localAddress?: string, token = mintToken('machine')) =>
    raw(hub, { path: '/v1/inbox', token, localAddress })

  test('after too many wrong tokens their address is told to wait; a valid token from there and other addresses are not affected', async () => {
    const hub = await startLimited({ failures: once3 })
    const chas = await hub.join('chas')
    expect(await statuses(4, () => guess(hub))).toEqual([401, 401, 401, 429])
    expectLimited(await guess(hub))
    expectLimited(await raw(hub, { path: '/v1/messages', body: {} }))
    expect(await statuses(10, () => guess(hub, undefined, chas.token))).toEqual(Array(10).fill(200))
    expect(await guess(hub, undefined, hub.adminToken)).toMatchObject({ status: 403 })
    expect(await guess(hub, elsewhere)).toMatchObject({ status: 401 })
    expect(await raw(hub, { path: '/healthz' })).toMatchObject({ status: 200 })
    // A machine that keeps sending its old token must be able to join again.
    await hub.join('chas')
  })

  test('a request without a token is not a guess', async () => {
    const hub = await startLimited({ failures: once3 })
    expect(await statuses(10, () => raw(hub, { path: '/v1/inbox' }))).toEqual(Array(10).fill(401))
    expect(await guess(hub)).toMatchObject({ status: 401 })
  })

  test('after too many wrong join codes their address is told to wait; a valid code still works from there', async () => {
    const hub = await startLimited({ failures: once3 })
    const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name: 'sean' } })
    const join = (code: string, localAddress?: string) =>
      raw(hub, { path: '/v1/join', body: { code, machine: 'sean', token }, localAddress })
    const token = mintToken('machine')
    expect(await statuses(2, () => join(mintJoinCode()))).toEqual([401, 401])
    expect((await raw(hub, { path: `/join/${mintJoinCode()}` })).status).toBe(200)
    expectLimited(await join(mintJoinCode()))
    expectLimited(await raw(hub, { path: `/join/${mintJoinCode()}` }))
    expect((await raw(hub, { path: `/join/${code}` })).text).toContain(code)
    expect(await join(code)).toMatchObject({ status: 200 })
    // A join may be repeated after a lost response, any number of times.
    expect(await statuses(10, () => join(code))).toEqual(Array(10).fill(200))
    expect(await join(code, elsewhere)).toMatchObject({ status: 200 })
    expectLimited(await join(mintJoinCode()))
    expect(await raw(hub, { path: '/v1/inbox', token })).toMatchObject({ status: 200 })
  })

  test('concurrent wrong codes all count', async () => {
    const hub = await startLimited({ failures: once3 })
    const volley = await Promise.all(
      Array.from({ length: 50 }, () =>
        raw(hub, { path: '/v1/join', body: { code: mintJoinCode(), machine: 'sean', token: mintToken('machine') } }),
      ),
    )
    expect(volley.filter(({ status }) => status === 401).length).toBe(3)
    expect(volley.filter(({ status }) => status === 429).length).toBe(47)
  })
})

describe('A18: open connections', () => {
  test('a token has a maximum number of streams; a closed one makes room, and other tokens have their own', async () => {
    const hub = await startLimited({ streamsPerToken: 2 })
    const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
    const [first] = [await new Listener(chas.client).opened(), await new Listener(chas.client).opened()]
    expectLimited(await raw(hub, { path: '/v1/events', token: chas.token }))
    const other = await new Listener(sean.client).opened()
    await first!.stop()
    await until('there is room', () => new Listener(chas.client).opened().catch(() => false))
    expectLimited(await raw(hub, { path: '/v1/events', token: chas.token }))
    await send(hub, chas, 'sean')
    await other.first(1)
  })

  test('connections with a token are limited: an idle one is closed for a new one, and if all have streams the next is refused', async () => {
    const hub = await startLimited({ connections: 2 })
    const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
    const ask = (socket: Socket, { token }: TestMember) =>
      answerOn(socket, `GET /v1/inbox HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n\r\n`)
    const idle = [await dial(hub), await dial(hub), await dial(hub)]
    for (const socket of idle) expect(await ask(socket, chas)).toMatch(/^HTTP\/1\.1 200 /)
    await until('the idlest is closed', () => idle[0]!.destroyed)
    const streams = [await new Listener(chas.client).opened(), await new Listener(sean.client).opened()]
    const refused = await raw(hub, { path: '/v1/inbox', token: sean.token })
    expect(errorOf(refused)).toMatchObject({ code: 'unavailable', retryAfterMs: expect.any(Number) })
    expect(await raw(hub, { path: '/healthz' })).toMatchObject({ status: 200 })
    await streams[0]!.stop()
    await until('there is room', async () => (await raw(hub, { path: '/v1/inbox', token: sean.token })).status === 200)
  })

  test('connections of one token are limited without an effect on those of others', async () => {
    const hub = await startLimited({ connectionsPerToken: 2 })
    const [chas, sean] = [await hub.join('chas'), await hub.join('sean')]
    for (let n = 0; n < 2; n++) await new Listener(chas.client).opened()
    expectLimited(await raw(hub, { path: '/v1/inbox', token: chas.token }))
    expect(await raw(hub, { path: '/v1/inbox', token: sean.token })).toMatchObject({ status: 200 })
  })
})

/** Opens a connection without sending anything. */
async function dial(hub: TestHub): Promise<Socket> {
  const socket = connect(Number(hub.url.port), hub.url.hostname)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function answerOn(socket: Socket, request: string): Promise<string> {
  socket.write(request)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString('latin1')
}

describe('the daily volume of one member', () => {
  test('is limited in messages, for all its tokens and recipients together; others send as before', async () => {
    const hub = await startLimited({ daily: { messages: 3 } })
    const [ana, ben, cleo] = [await hub.join('ana'), await hub.join('ben'), await hub.join('cleo')]
    for (const to of ['ben', 'cleo', 'all']) expect((await send(hub, ana, to)).status).toBe(201)
    const renewed = await hub.join('ana')
    const answer = await send(hub, renewed, 'ben')
    expectLimited(answer)
    expect(errorOf(answer).message).toBe('You have sent 3 messages, the most that one member may send in a day.')
    expect((await send(hub, ben, 'cleo')).status).toBe(201)
    expect(await unreadOf(ben)).toBe(2)
    const status = await hub.client(hub.adminToken).call(api.status)
    expect(status.nearBounds).toEqual([{ bound: 'daily', name: 'ana', percent: 100 }])
    expect((await run(['status', '--data', hub.dataDir])).stdout).toMatch(
      /^Near its bound +ana has sent 100 % of what it may in a day$/m,
    )
    expect((await raw(hub, { path: '/metrics' })).text).toMatch(/^claude_net_daily_bound_used_ratio (1|0\.99\d*)$/m)
    expect((await raw(hub, { path: '/metrics' })).text).toMatch(/^claude_net_fullest_inbox_ratio 0\.000\d+$/m)
    await cleo.client.call(api.readInbox)
  })

  test('is limited in bytes of texts', async () => {
    const hub = await startLimited({ daily: { bytes: 100 * 1024 } })
    const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
    const body = 'x'.repeat(32 * 1024)
    const statuses = []
    for (let n = 0; n < 4; n++) {
      statuses.push((await raw(hub, { path: '/v1/messages', token: ana.token, body: { to: 'ben', body } })).status)
    }
    expect(statuses).toEqual([201, 201, 201, 429])
    expect((await send(hub, ana, 'ben')).status).toBe(201)
    expect(await unreadOf(ben)).toBe(4)
  })
})
