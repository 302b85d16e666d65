import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import type { HubClient } from '../client/hub-client.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { Gathering } from './gathering.ts'
import { followInbox } from './inbox-stream.ts'
import { noteAsked } from './own-questions.ts'
import { SessionDir } from './session-dir.ts'
import { UnreadMirror } from './unread-mirror.ts'

/**
 * Creates the mirror of a new session, which follows `client`, a partial `HubClient`, until the test ends. The session has sent the
 * questions `asked`.
 */
function mirrorOf(client: object, project?: string, asked: string[] = []): UnreadMirror {
  const home = tempDir('mirror')
  writeFileSync(join(home, 'config.json'), '{}')
  const ended = new AbortController()
  onTestFinished(() => ended.abort())
  const dir = new SessionDir('77', home)
  for (const id of asked) noteAsked(dir, id)
  const mirror = new UnreadMirror({
    dir,
    gathering: new Gathering(dir, () => {}),
    home,
    session: 'session-77',
    client: () => client as HubClient,
    scope: () => project,
    predecessors: () => [],
    onDue: () => {},
  })
  void followInbox({
    client: () => client as HubClient,
    scope: () => project,
    signal: ended.signal,
    onOpen: () => mirror.onStreamOpen(),
    onLost: () => mirror.onStreamLost(),
    onEvent: event => mirror.onEvent(event),
  })
  return mirror
}

test('an unchanged number of unread messages causes a read only while the stream is broken', async () => {
  const broken = Promise.withResolvers<never>()
  const gone = new ClaudeNetError('unavailable', 'The hub is down.', '')
  let streams = 0
  const client = {
    call: async () => ({ messages: [], unread: 1, more: 0, cursor: '' }),
    transport: { opened: async () => {} },
    async *events({ opened }: { opened: () => void }) {
      if (++streams > 1) throw gone
      opened()
      yield await broken.promise
    },
  }
  const mirror = mirrorOf(client)
  await vi.waitFor(() => expect(mirror.isDue).toBe(true))
  await mirror.read()
  mirror.markDue(1)
  expect(mirror.isDue).toBe(false)

  broken.reject(gone)
  await vi.waitFor(() => {
    mirror.markDue(1)
    expect(mirror.isDue).toBe(true)
  })
})

test('messages in events are added without a request, unless something else has changed too', async () => {
  const delivery = (seq: number, more = {}) => ({
    ...{
      id: `id-${seq}`,
      seq,
      from: 'sean',
      fromKind: 'machine',
      to: ['chas'],
      intent: 'request',
      body: `text ${seq}`,
    },
    ...{ sentAt: '2026-01-01T00:00:00.000Z', ...more },
  })
  const event = (seq: number, unread: number, message?: object) => ({
    event: 'inbox' as const,
    data: { seq, id: `id-${seq}`, from: 'sean', intent: 'request' as const, unread, delivery: message },
  })
  const events: object[] = []
  let came = Promise.withResolvers<void>()
  let unread: object[] = []
  let requests = 0
  const streams: boolean[] = []
  const client = {
    call: async () => {
      requests++
      return { messages: unread, unread: unread.length, more: 0, cursor: '' }
    },
    transport: { opened: async () => {} },
    async *events({ withDelivery, opened }: { withDelivery: boolean; opened: () => void }) {
      streams.push(withDelivery)
      // Like a hub of an earlier version.
      if (withDelivery && streams.length === 1) throw new ClaudeNetError('invalid', 'query: unknown', '')
      opened()
      for (;;) {
        for (const each of events.splice(0)) yield each
        await came.promise
        came = Promise.withResolvers()
      }
    },
  }
  const mirror = mirrorOf(client)
  const deliver = async (...delivered: object[]) => {
    events.push(...delivered)
    came.resolve()
    await vi.waitFor(() => expect([events.length, mirror.isDue]).toEqual([0, true]))
    await mirror.update()
  }
  await vi.waitFor(() => expect(mirror.isDue).toBe(true))
  await mirror.update()
  expect({ streams, requests }).toEqual({ streams: [true, false], requests: 1 })

  await deliver(event(1, 1, delivery(1)))
  await deliver(event(2, 2, delivery(2)), event(3, 3, delivery(3, { held: true })))
  expect([...mirror.ids]).toEqual(['id-1', 'id-2'])
  expect([...mirror.allIds]).toEqual(['id-1', 'id-2', 'id-3'])
  expect(mirror.get('id-2')).toMatchObject({ from: 'sean', beginning: 'text 2' })
  expect(requests).toBe(1)

  // Another session has acked one meanwhile.
  unread = [delivery(2), delivery(4)]
  await deliver(event(4, 2, delivery(4)))
  expect([...mirror.ids]).toEqual(['id-2', 'id-4'])
  expect(requests).toBe(2)
  // An event without its message.
  unread = [...unread, delivery(5)]
  await deliver(event(5, 3))
  expect([...mirror.ids]).toEqual(['id-2', 'id-4', 'id-5'])
  expect(requests).toBe(3)
})

test('messages for another project are not added, even if a hub sends them', async () => {
  const message = (id: string, project?: string) => ({
    ...{ id, seq: 1, from: 'sean', fromKind: 'machine', to: ['chas'], intent: 'request', body: id, project },
    sentAt: '2026-01-01T00:00:00.000Z',
  })
  const messages = [message('for-shop', 'shop'), message('for-billing', 'billing'), message('for-any')]
  const requests: object[] = []
  const client = {
    call: async (_: unknown, { query }: { query: object }) => {
      requests.push(query)
      return { messages, unread: 3, more: 0, cursor: '' }
    },
    transport: { opened: async () => {} },
    async *events({ project }: { project: string }) {
      requests.push({ project })
      yield await new Promise<never>(() => {})
    },
  }
  const shop = mirrorOf(client, 'shop')
  await shop.read()
  expect([...shop.ids]).toEqual(['for-shop', 'for-any'])
  expect(shop.get('for-shop')).toMatchObject({ project: 'shop' })
  await vi.waitFor(() => expect(requests).toHaveLength(2))
  expect(requests).toEqual(
    expect.arrayContaining([{ project: 'shop' }, expect.objectContaining({ project: 'shop', preview: 200 })]),
  )
  const none = mirrorOf(client, '')
  await none.read()
  expect([...none.ids]).toEqual(['for-any'])
})

test('an ack by an answer is not announced, even if both arrive while the inbox is being read', async () => {
  const answer = {
    ...{ id: 'answer', seq: 2, from: 'sean', fromKind: 'machine', to: ['chas'], intent: 'inform', body: 'Yes.' },
    ...{ replyTo: 'question', sentAt: '2026-01-01T00:00:00.000Z' },
  }
  const pages = [{ messages: [], unread: 0, more: 0, cursor: '' }]
  const reading = Promise.withResolvers<void>()
  const arrive = Promise.withResolvers<void>()
  const seen = Promise.withResolvers<void>()
  const client = {
    call: async () => {
      const page = pages.shift() ?? { messages: [answer], unread: 1, more: 0, cursor: '' }
      await reading.promise
      return page
    },
    transport: { opened: async () => {} },
    async *events({ opened }: { opened: () => void }) {
      opened()
      await arrive.promise
      const { id, seq, from, intent } = answer
      yield { event: 'inbox', data: { id, seq, from, intent, unread: 1, delivery: answer } }
      yield { event: 'receipt', data: { id: 'question', seq, recipient: 'sean', status: 'acked', at: answer.sentAt } }
      seen.resolve()
      yield await new Promise<never>(() => {})
    },
  }
  const mirror = mirrorOf(client, undefined, ['question'])
  await vi.waitFor(() => expect(mirror.isDue).toBe(true))
  const updated = mirror.update()
  arrive.resolve()
  await seen.promise
  reading.resolve()
  expect(await updated).toBe(true)
  expect([...mirror.ids]).toEqual([])
  expect(mirror.takeFates()).toEqual([])
  expect(mirror.isDue).toBe(true)
  await mirror.update()
  expect([...mirror.ids]).toEqual(['answer'])
  expect(mirror.takeFates()).toEqual([])
})
