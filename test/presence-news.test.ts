import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { HubClient } from '../src/client/hub-client.ts'
import { DirectTransport } from '../src/client/transport/direct.ts'
import { PresenceNews } from '../src/hub/http/presence-news.ts'
import { openHub } from '../src/hub/open-hub.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import { PresencesEvent } from '../src/protocol/events.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

/** Opens a hub in this process with `count` members. Collects the presence events written to one of its streams. */
async function start(count: number) {
  const hub = openHub({ dataDir: tempDir('presence'), onBug: () => {}, onStorageError: () => {} })
  onTestFinished(() => hub.close())
  const names = Array.from({ length: count }, (_, n) => `m${n}`)
  await Promise.all(names.map(name => hub.submit({ type: 'member.add', name, kind: 'machine' })))
  const members = names.map(name => memberByName(hub.state.db, name)!.id)
  const written: string[] = []
  const end = new PresenceNews(hub).read(bytes => written.push(Buffer.from(bytes).toString()))
  const sent = () => until('something was sent', () => written.length > 0)
  return { hub, members, written, end, sent }
}

test('a few changes of presence are sent as one event each, which every client can read; a short visit is sent as two', async () => {
  const { hub, members, written, sent } = await start(3)
  for (const member of members) hub.presence.beat(member, 's', 'test/1')
  hub.presence.end(members[0]!, 's')
  await sent()
  expect(written).toHaveLength(1)
  const events = written[0]!.trim().split('\n\n')
  expect(events.map(text => /^event: presence\ndata: .*"name":"(\w+)","online":(\w+)/.exec(text)?.slice(1))).toEqual([
    ['m0', 'true'],
    ['m1', 'true'],
    ['m2', 'true'],
    ['m0', 'false'],
  ])
})

test('hundreds of changes at once are one event of bounded size, and an ended stream is sent nothing', async () => {
  const { hub, members, written, end, sent } = await start(350)
  for (const member of members) hub.presence.beat(member, 's', 'test/1')
  await sent()
  expect(written).toHaveLength(1)
  const [, event, data] = /^event: (.*)\ndata: (.*)\n\n$/.exec(written[0]!)!
  expect(event).toBe('presences')
  const told = PresencesEvent.parse(JSON.parse(data!))
  expect([told.members.length, told.more]).toEqual([100, 250])
  expect(written[0]!.length).toBeLessThan(16_384)
  end()
  hub.presence.end(members[0]!, 's')
  expect(written).toHaveLength(1)
})

test('a client reads one event about many members as separate changes', async () => {
  const members = ['ana', 'ben'].map(name => ({ name, online: true, lastSeenAt: null }))
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`event: presences\ndata: ${JSON.stringify({ members, more: 7 })}\n\n`)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const client = new HubClient({ transport: new DirectTransport(url), token: 'any', timeoutMs: 90_000 })
  onTestFinished(() => client.close())
  const heard: unknown[] = []
  for await (const event of client.events({ signal: AbortSignal.timeout(90_000) })) heard.push(event)
  expect(heard).toEqual(members.map(data => ({ event: 'presence', data })))
})
