import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { seqHeader, staleHeader } from '../src/protocol/seq-header.ts'
import { mintToken } from '../src/protocol/token.ts'
import { EtcdCluster, type EtcdHistory } from './support/etcd.ts'
import { EventStream } from './support/event-stream.ts'
import { TestHub } from './support/hub.ts'
import { HubProxy } from './support/proxy.ts'
import { until } from './support/until.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

/** Low limits for sends and wrong tokens, which only the tests of limits reach. */
const limits = {
  sends: { perMinute: 60, burst: 60 },
  pair: null,
  daily: null,
  loop: null,
  reads: null,
  failures: { perMinute: 1, burst: 8 },
}

/** Time for which the second hub serves reads while it is cut off, in s. */
const staleReadsS = 4

describeWithEtcd('reads at any of several hubs', () => {
  let cluster: EtcdCluster
  let history: EtcdHistory
  let line: HubProxy
  let [one, two] = [] as unknown as [TestHub, TestHub]
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-many-reads-'))
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1)
    history = await cluster.log()
    line = new HubProxy({ port: Number(new URL(cluster.endpoints[0]!).port) })
    await line.accept()
    const hub = (hubName: string, endpoint: string) => {
      const journal = { endpoints: [endpoint], name: history.name, staleReadsS }
      return new TestHub({ dataDir: join(dir, hubName, 'data'), config: { journal, hubName, limits } })
    }
    one = hub('one', cluster.endpoints[0]!)
    two = hub('two', line.url.origin)
    await one.start()
    await two.start()
  })
  afterAll(async () => {
    await Promise.all([one.close(), two.close()])
    await line.refuse()
    await cluster[Symbol.asyncDispose]()
    rmSync(dir, { recursive: true, force: true })
  })

  const get = (hub: TestHub, path: string, token: string, headers: Record<string, string> = {}) =>
    fetch(new URL(path, hub.url), { headers: { authorization: `Bearer ${token}`, ...headers } })
  const send = (hub: TestHub, token: string, to: string, body: string) =>
    hub.client(token).call(api.sendMessage, { body: { id: newMessageId(), to, body } })
  const seqOf = (answer: Response) => Number(answer.headers.get(seqHeader))

  test('a client that switches hubs reads at least what it has already seen, however soon', async () => {
    const ana = await one.join('ana')
    for (let round = 0; round < 20; round++) {
      const [from, at] = round % 2 === 0 ? [one, two] : [two, one]
      const id = newMessageId()
      const answer = await fetch(new URL('/v1/messages', from.url), {
        method: 'POST',
        headers: { authorization: `Bearer ${ana.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ id, to: 'ana', body: `round ${round}` }),
      })
      expect(answer.status, await answer.text()).toBe(201)
      const read = await get(at, `/v1/messages/${id}?min_seq=${seqOf(answer)}`, ana.token)
      expect(read.status).toBe(200)
      expect(seqOf(read)).toBeGreaterThanOrEqual(seqOf(answer))
    }
  })

  test('a token, a code and a link issued by one hub are valid at the other at once', async () => {
    for (let round = 0; round < 5; round++) {
      const [from, at] = round % 2 === 0 ? [one, two] : [two, one]
      const admin = from.client(from.adminToken)
      const { code } = await admin.call(api.invite, { body: { name: `machine${round}` } })
      const token = mintToken('machine')
      await at.client().call(api.join, { body: { code, machine: `machine${round}`, token } })
      expect((await get(from, '/v1/inbox', token)).status).toBe(200)
      const { secret } = await from.client(token).call(api.consoleLink, { body: {} })
      const origin = at.url.origin
      const login = await fetch(new URL('/v1/console/login', origin), {
        method: 'POST',
        headers: { origin, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' },
        body: JSON.stringify({ secret }),
      })
      expect(login.status, await login.clone().text()).toBe(201)
      const { tab } = (await login.json()) as { tab: string }
      // The cookie's name contains the port, which is the same for both hubs if they are behind one address.
      const cookie = login.headers.get('set-cookie')!.split(';')[0]!.replace(String(at.port), String(from.port))
      const page = await fetch(new URL('/v1/console', from.url), {
        headers: { cookie, 'claude-net-tab': tab, 'sec-fetch-site': 'same-origin' },
      })
      expect(page.status, await page.text()).toBe(200)
    }
    // A token that was never issued stays invalid.
    expect((await get(two, '/v1/inbox', mintToken('machine'))).status).toBe(401)
  })

  test('a stream moves from hub to hub without repetition, gap or step back', async () => {
    const ana = await one.join('cara')
    const [sent, got] = [[] as string[], [] as string[]]
    let cursor: string | undefined
    for (let round = 0; round < 8; round++) {
      const [from, at] = round % 2 === 0 ? [one, two] : [two, one]
      for (let count = 0; count < 3; count++) sent.push((await send(from, ana.token, 'cara', `${round}`)).id)
      const stream = await EventStream.open(new URL('/v1/events', at.url), ana.token, cursor)
      sent.push((await send(from, ana.token, 'cara', 'live')).id)
      await stream.next('inbox', 4)
      await stream.next('ready')
      got.push(...stream.of('inbox').map(({ id }) => String(id)))
      const places = stream.events.flatMap(({ id }) => (id === undefined ? [] : [Number(id.split(':')[1])]))
      expect(places).toEqual([...places].sort((a, b) => a - b))
      expect(places[0]).toBeGreaterThanOrEqual(Number(cursor?.split(':')[1] ?? 0))
      cursor = stream.cursor
      stream.close()
    }
    expect(got).toEqual(sent)
  })

  test('an invalid min_seq is refused, and one in the future is waited for', async () => {
    const ana = await one.join('dora')
    const seen = seqOf(await get(one, '/v1/inbox', ana.token))
    for (const odd of ['-1', '1.5', 'x', '', '1e3', '9'.repeat(16), '1&min_seq=2', '01']) {
      const answer = await get(two, `/v1/inbox?min_seq=${odd}`, ana.token)
      expect([odd, answer.status, await answer.text()]).toEqual([odd, 400, expect.stringContaining('min_seq')])
    }
    const ahead = `min_seq=${seen + 1000}`
    const rpc = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }
    const asked = await Promise.all([
      get(two, `/v1/inbox?limit=5&${ahead}`, ana.token),
      get(two, `/v1/events?session=s&${ahead}`, ana.token),
      fetch(new URL(`/mcp?${ahead}`, two.url), { ...rpc, headers: mcpHeaders(ana.token) }),
      get(two, `/v1/inbox?after=${await epochOf(ana.token)}:${seen + 1000}`, ana.token),
      get(two, '/v1/events', ana.token, { 'last-event-id': `${await epochOf(ana.token)}:${seen + 1000}` }),
    ])
    for (const answer of asked)
      expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('This hub is behind')])
    // Positions in another history are ignored, and an unauthorized client learns nothing about ours.
    expect((await get(two, '/v1/inbox?min_seq=0123456789abcdef:99999', ana.token)).status).toBe(200)
    expect((await get(two, `/v1/inbox?${ahead}`, 'wrong')).status).toBe(401)
    const mcp = await fetch(new URL(`/mcp?min_seq=${seen}`, two.url), { ...rpc, headers: mcpHeaders(ana.token) })
    expect([mcp.status, seqOf(mcp) >= seen]).toEqual([200, true])
  })

  test('a token that was revoked at one hub is refused by the other, which also cuts its stream', async () => {
    const [ana, ben] = [await one.join('emma'), await one.join('finn')]
    await until('the token is valid there', async () => (await get(two, '/v1/inbox', ana.token)).status === 200)
    const url = new URL('/v1/events', two.url)
    const stream = await fetch(url, { headers: { authorization: `Bearer ${ana.token}` } })
    const ended = stream.text()
    await one.client(one.adminToken).call(api.revokeMember, { params: { name: 'emma' } })
    const revokedAt = performance.now()
    const seq = seqOf(await get(one, '/v1/inbox', ben.token))
    expect((await get(two, `/v1/inbox?min_seq=${seq}`, ana.token)).status).toBe(401)
    const rpc = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }
    expect((await fetch(new URL('/mcp', two.url), { ...rpc, headers: mcpHeaders(ana.token) })).status).toBe(401)
    await ended
    expect(performance.now() - revokedAt).toBeLessThan(20_000)
  })

  test('a session with heartbeats at one hub is online at the other, and ends at either', async () => {
    const ana = await one.join('hana')
    await until('the token is valid there', async () => (await get(two, '/v1/inbox', ana.token)).status === 200)
    const beat = (session: string) =>
      two.client(ana.token).call(api.heartbeat, { body: { session, client: 'test/1', project: 'billing' } })
    const shown = async () =>
      (await one.client(ana.token).call(api.listMachines)).members.find(({ name }) => name === 'hana')!
    await beat('s1')
    await beat('s2')
    await until('both sessions', async () => (await shown()).sessions.length === 2)
    expect(await shown()).toMatchObject({ online: true, sessions: [{ session: 's1' }, { session: 's2' }] })
    // Streams end with their session, on whichever hub it ends.
    const open = (hub: TestHub, session: string) =>
      fetch(new URL(`/v1/events?session=${session}`, hub.url), { headers: { authorization: `Bearer ${ana.token}` } })
    const ended = (await Promise.all([open(one, 's1'), open(two, 's2')])).map(stream => stream.text())
    await two.client(ana.token).call(api.endSession, { query: { session: 's1' } })
    expect(await one.client(ana.token).call(api.endSession, { query: { session: 's2' } })).toEqual({ ended: true })
    await Promise.all(ended)
    await until('ana to be offline', async () => !(await shown()).online)
  })

  test('limits count requests at both hubs, and a token used from two hosts at two hubs is reported', async () => {
    const [ana, eve] = [await one.join('iris'), await one.join('jana')]
    await until('the tokens are valid there', async () => (await get(two, '/v1/inbox', eve.token)).status === 200)
    const at = (index: number) => (index % 2 === 0 ? one : two)
    let sent = 0
    const refused = await until('the limit', async () => {
      const error = await send(at(sent), ana.token, 'iris', 'much').catch(error => error)
      if (!(error instanceof Error)) sent++
      return error instanceof Error && error
    })
    expect([(refused as Error).message, sent < 100]).toEqual([expect.stringContaining('Too many messages'), true])
    const isHeldUp = async (hub: TestHub) => (await get(hub, '/v1/inbox', 'wrong')).status === 429
    for (let tries = 0; tries < 8; tries++) await get(at(tries), '/v1/inbox', 'wrong')
    await until('both hubs to be at their limit', async () => (await isHeldUp(one)) && (await isHeldUp(two)))
    const hosts = ['0123456789abcdef ct101', 'fedcba9876543210 ct102']
    const shared = await until('it is detected', async () => {
      const sharedAt = async (index: number) => {
        const answer = await get(at(index), '/v1/machines', eve.token, { 'claude-net-host': hosts[index]! })
        return ((await answer.json()) as { sharedTokens: unknown[] }).sharedTokens
      }
      const [first, second] = [await sharedAt(0), await sharedAt(1)]
      return first.length > 0 && second.length > 0 && first
    })
    expect(shared).toMatchObject([{ member: 'jana', hosts: ['ct101 (127.0.0.1)', 'ct102 (127.0.0.1)'] }])
  })

  test('a hub cut off from the log marks its responses as stale, then refuses reads, and recovers without a restart', async () => {
    const ana = await one.join('gwen')
    const path = `/v1/inbox?min_seq=${seqOf(await get(one, '/v1/inbox', ana.token))}`
    const fresh = await get(two, path, ana.token)
    expect([fresh.status, fresh.headers.get(staleHeader)]).toEqual([200, null])
    const stream = await fetch(new URL('/v1/events', two.url), { headers: { authorization: `Bearer ${ana.token}` } })
    const ended = stream.text()
    await line.refuse()
    const inbox = () => get(two, '/v1/inbox', ana.token)
    const marked = await until('the stale header', async () => {
      const answer = await inbox()
      return answer.headers.has(staleHeader) && answer
    })
    expect([marked.status, Number(marked.headers.get(staleHeader))]).toEqual([200, expect.any(Number)])
    const refused = await until('it is refused', async () => {
      const answer = await inbox()
      return answer.status !== 200 && answer
    })
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('cut off')])
    await ended
    const ready = () => fetch(new URL('/readyz', two.url))
    await until('it is not ready', async () => (await (await ready()).text()).includes('cut off'))
    expect((await send(two, ana.token, 'gwen', 'hello').catch(error => error)).message).toContain('cut off')
    // The status for admins is still available, and the other hub continues.
    expect((await get(two, '/v1/admin/status', two.adminToken)).status).toBe(200)
    await send(one, ana.token, 'gwen', 'meanwhile')
    await line.accept()
    await until('the hub has caught up', async () => (await inbox()).status === 200)
    const { messages } = await two.client(ana.token).call(api.readInbox)
    expect(messages.map(({ body }) => body)).toEqual(['meanwhile'])
    await until('it is ready', async () => (await ready()).ok)
    expect((await inbox()).headers.has(staleHeader)).toBe(false)
  })

  const epochOf = async (token: string) => (await one.client(token).call(api.readInbox)).cursor.split(':')[0]
})

const mcpHeaders = (token: string) => ({
  authorization: `Bearer ${token}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
})
