import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { mintToken } from '../src/protocol/token.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { raw } from './support/raw.ts'
import { until } from './support/until.ts'

/**
 * Returns every series of a scrape with its value: `name{label="value"}` → number. Throws on a line that is neither a series nor a comment.
 */
async function scrape(hub: TestHub): Promise<Map<string, number>> {
  const { status, headers, text } = await raw(hub, { path: '/metrics', token: hub.adminToken })
  expect(status).toBe(200)
  expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => {
      const [, series, value] = /^([a-z_0-9]+(?:\{(?:[a-z]+="[^"\n]*",?)+\})?) (\S+)$/.exec(line) ?? []
      if (series === undefined || Number.isNaN(Number(value))) throw new Error(`No series: ${line}`)
      return [series, Number(value)]
    }),
  )
}

test('every metric has our prefix, a description and a type', async () => {
  const hub = await startHub()
  await hub.join('alpha')
  const { text } = await raw(hub, { path: '/metrics', token: hub.adminToken })
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]))
  expect([...types.keys()].sort()).toEqual([...text.matchAll(/^# HELP (\S+) \S/gm)].map(([, name]) => name!).sort())
  for (const [name, type] of types) {
    expect(name).toMatch(/^claude_net_[a-z_0-9]+$/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
  }
  for (const series of (await scrape(hub)).keys()) {
    // Prometheus reserves this label for summaries (promtool check metrics).
    expect(series).not.toContain('quantile=')
    const name = series.replace(/\{.*/, '')
    expect([...types.keys()]).toContain(types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''))
  }
})

test('the unread messages of a member are shown with their age until they are acked', async () => {
  const hub = await startHub()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  /** Reports whether the age of beta's oldest unread message fits one sent then. */
  const ageIsSince = async (sentAt: string) => {
    const earliest = Date.now() - Date.parse(sentAt)
    const seconds = (await scrape(hub)).get('claude_net_oldest_unread_age_seconds{member="beta"}')!
    const ms = Math.round(seconds * 1000)
    return ms >= earliest && ms <= Date.now() - Date.parse(sentAt)
  }
  const first = await alpha.client.call(api.sendMessage, { body: { to: 'beta', body: 'one' } })
  await until('the clock to advance', () => Date.now() > Date.parse(first.sentAt) + 20)
  const second = await alpha.client.call(api.sendMessage, { body: { to: 'beta', body: 'two' } })
  expect(await ageIsSince(first.sentAt)).toBe(true)
  const waiting = await scrape(hub)
  expect(waiting.get('claude_net_unread_messages{member="beta"}')).toBe(2)
  expect(waiting.get('claude_net_unread_messages{member="alpha"}')).toBe(0)
  expect(waiting.get('claude_net_oldest_unread_age_seconds{member="alpha"}')).toBe(0)

  await beta.client.call(api.ackInbox, { body: { ids: [first.id] } })
  expect(await ageIsSince(second.sentAt)).toBe(true)

  await beta.client.call(api.ackInbox, { body: { ids: [second.id] } })
  const read = await scrape(hub)
  expect(read.get('claude_net_unread_messages{member="beta"}')).toBe(0)
  expect(read.get('claude_net_oldest_unread_age_seconds{member="beta"}')).toBe(0)

  await hub.client(hub.adminToken).call(api.deleteMember, { params: { name: 'beta' } })
  expect((await scrape(hub)).has('claude_net_unread_messages{member="beta"}')).toBe(false)
})

test('sends are counted by outcome, requests by route and status, and entries as they are committed', async () => {
  const hub = await startHub()
  const alpha = await hub.join('alpha')
  await hub.join('beta')
  const before = await scrape(hub)
  const id = newMessageId()
  for (const to of ['beta', 'beta', 'nobody-here']) {
    await raw(hub, {
      path: '/v1/messages',
      token: alpha.token,
      body: { ...(to === 'beta' && { id }), to, body: 'hello' },
    })
  }
  await raw(hub, { path: '/v1/messages', token: alpha.token, body: {} })
  const after = await scrape(hub)
  const grown = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0)
  expect(grown('claude_net_sends_total{result="stored"}')).toBe(1)
  expect(grown('claude_net_sends_total{result="repeated"}')).toBe(1)
  expect(grown('claude_net_sends_total{result="not_found"}')).toBe(1)
  const requests = (status: number) =>
    grown(`claude_net_http_requests_total{method="POST",route="/v1/messages",status="${status}"}`)
  expect([201, 200, 404, 400].map(requests)).toEqual([1, 1, 1, 1])
  expect(grown('claude_net_entries_committed_total')).toBe(3)
  expect(grown('claude_net_commit_batch_entries_sum')).toBe(3)
  expect(grown('claude_net_commit_duration_seconds_count')).toBe(grown('claude_net_commit_batch_entries_count'))
  expect(grown('claude_net_commit_duration_seconds_sum')).toBeGreaterThan(0)
})

test('failed logins are counted, including those without a token; a wrong join code is not one', async () => {
  const hub = await startHub()
  const failed = async () => (await scrape(hub)).get('claude_net_failed_logins_total')
  expect(await failed()).toBe(0)
  for (const token of [undefined, 'clnt_garbage', mintToken('machine')]) await raw(hub, { path: '/v1/inbox', token })
  await raw(hub, {
    path: '/v1/join',
    body: { code: 'AAAA-BBBB-CCCC-DDDD', machine: 'alpha', token: mintToken('machine') },
  })
  expect(await failed()).toBe(3)
})

test('open streams and online members are shown', async () => {
  const hub = await startHub()
  const alpha = await hub.join('alpha')
  await hub.join('sean', 'human')
  await alpha.client.call(api.heartbeat, { body: { session: 's1', client: 'test/1' } })
  const end = new AbortController()
  const opened = Promise.withResolvers<void>()
  const stream = (async () => {
    for await (const _ of alpha.client.events({ signal: end.signal, opened: opened.resolve }));
  })().catch(() => {})
  await opened.promise
  const live = await scrape(hub)
  expect(live.get('claude_net_open_streams')).toBe(1)
  expect(live.get('claude_net_members{kind="machine"}')).toBe(1)
  expect(live.get('claude_net_members{kind="human"}')).toBe(1)
  expect(live.get('claude_net_online_members{kind="machine"}')).toBe(1)
  expect(live.get('claude_net_online_members{kind="human"}')).toBe(0)
  expect(live.get('claude_net_process_resident_memory_bytes')).toBeGreaterThan(1e7)
  expect(live.get('claude_net_event_loop_lag_p99_seconds')).toBeGreaterThanOrEqual(0)
  end.abort()
  await stream
  await alpha.client.call(api.endSession, { query: { session: 's1' } })
  await until('the stream is closed', async () => (await scrape(hub)).get('claude_net_open_streams') === 0)
  expect((await scrape(hub)).get('claude_net_online_members{kind="machine"}')).toBe(0)
})

test('untrusted input creates no series', async () => {
  const hub = await startHub()
  const alpha = await hub.join('alpha')
  await raw(hub, { path: '/nothing/here' })
  await raw(hub, { path: '/v1/messages/x', token: alpha.token })
  const before = [...(await scrape(hub)).keys()]
  for (let n = 0; n < 50; n++) {
    await raw(hub, { path: `/nothing/${n}?q=${n}` })
    await raw(hub, { path: `/v1/messages/x${n}`, token: alpha.token })
    await raw(hub, { path: '/v1/messages', token: alpha.token, body: { to: `nobody-${n}`, body: 'x' } })
  }
  const after = [...(await scrape(hub)).keys()]
  expect(after.filter(series => !before.includes(series)).sort()).toEqual([
    'claude_net_http_requests_total{method="GET",route="/metrics",status="200"}',
    'claude_net_http_requests_total{method="POST",route="/v1/messages",status="404"}',
    'claude_net_sends_total{result="not_found"}',
  ])
})

test('series that name a member are shown only with a valid token', async () => {
  const hub = await startHub()
  const [alpha] = [await hub.join('alpha'), await hub.join('beta')]
  await alpha.client.call(api.sendMessage, { body: { to: 'beta', body: 'one' } })
  const names = (text: string) => /alpha|beta/.test(text)
  const open = await raw(hub, { path: '/metrics' })
  expect(names(open.text)).toBe(false)
  expect(open.text).toMatch(/^claude_net_unread_messages_of_all 1$/m)
  expect(open.text).toMatch(/^claude_net_members\{kind="machine"\} 2$/m)
  for (const token of [alpha.token, hub.adminToken]) {
    const { text } = await raw(hub, { path: '/metrics', token })
    expect(text).toMatch(/^claude_net_unread_messages\{member="beta"\} 1$/m)
  }
  for (const token of [mintToken('machine'), 'x']) {
    const refused = await raw(hub, { path: '/metrics', token })
    expect(refused.status).toBe(401)
    expect(names(refused.text)).toBe(false)
  }
})
