import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FakeRuntime } from '../../test/support/fake-runtime.ts'
import { tempDir } from '../../test/support/temp.ts'
import type { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import { Keeper } from './keeper.ts'
import { rungMs } from './ladder.ts'
import { takeNews } from './news.ts'
import { instanceOf, SessionDir } from './session-dir.ts'
import { noteState } from './session-state.ts'

/** Starts an idle session of Claude Code with its keeper, a fake hub and a fake clock. */
function startSession({
  home = tempDir('keeper'),
  key = '77',
  runtime = new FakeRuntime(),
  takesWakes = true,
  inbox = [] as object[],
} = {}) {
  writeFileSync(join(home, 'config.json'), '{}')
  const dir = new SessionDir(key, home)
  const env = {
    CLAUDE_CODE_MESSAGING_SOCKET: `/nowhere/${key}.sock`,
    CLAUDE_CODE_MESSAGING_TOKEN: key,
    CLAUDE_CONFIG_DIR: home,
  }
  const mode = { permission_mode: 'default' }
  noteState(dir, { hook_event_name: 'Stop', ...mode }, instanceOf(env), { at: runtime.now() })
  const client = {
    now: () => runtime.now(),
    call: async (_: unknown, { query }: { query?: object }) =>
      query ? { messages: inbox, unread: inbox.length, more: 0, cursor: '' } : {},
  }
  const wakes: string[] = []
  const channel: string[] = []
  const events: object[] = []
  let more = Promise.withResolvers<void>()
  const follow = async function* (_: HubClient, { onOpen }: { onOpen?: () => void }) {
    onOpen?.()
    for (;;) {
      for (const event of events.splice(0)) yield event
      await more.promise
      more = Promise.withResolvers()
    }
  } as unknown as typeof followEvents
  const keeper = new Keeper({
    key,
    session: `session-${key}`,
    home,
    env,
    client: () => client as unknown as HubClient,
    scope: () => undefined,
    pushChannel: async text => void channel.push(text),
    report: error => expect.fail(String(error)),
    runtime,
    follow,
    writeToSocket: async (_, text) => takesWakes && wakes.push(text) > 0,
  })
  onTestFinished(() => keeper.close())
  return {
    ...{ home, dir, runtime, keeper, wakes, channel, inbox },
    /** Delivers a request, with an event that contains its text. */
    receive(id: string) {
      const message = {
        ...{ id, seq: inbox.length + 1, from: 'sean', fromKind: 'machine', to: ['chas'], body: `text of ${id}` },
        ...{ intent: 'request', sentAt: new Date(runtime.now()).toISOString() },
      }
      inbox.push(message)
      events.push({ event: 'inbox', data: { ...message, unread: inbox.length, delivery: message } })
      more.resolve()
    },
    /** Returns the ids that the next hook announces. */
    announced: () => takeNews(dir).map(({ id }) => id),
  }
}

test('a request wakes an idle session once, by the next rung if the session does not react, and not again once fetched', async () => {
  const { runtime, keeper, wakes, channel, receive } = startSession()
  keeper.start()
  await runtime.pass(20_000)
  receive('one')
  receive('two')
  await runtime.pass(1500)
  expect(wakes).toEqual([expect.stringMatching(/^2 unread messages from sean\./)])
  // The session starts no turn: it holds or drops messages on the socket.
  await runtime.pass(3000)
  expect([wakes.length, channel.length]).toEqual([1, 1])
  keeper.fetched(['one', 'two'])
  await runtime.pass(4 * rungMs)
  expect([wakes.length, channel.length]).toEqual([1, 1])
})

test('a message that every rung has announced without a fetch is announced once more by the next hook', async () => {
  const { dir, runtime, keeper, channel, receive, announced } = startSession({ takesWakes: false })
  keeper.start()
  await runtime.pass(20_000)
  receive('one')
  await runtime.pass(1500)
  // The socket refused it: the hooks have it again at once.
  expect(readdirSync(dir.file('news'))).toEqual([expect.stringContaining('mail-one')])
  await runtime.pass(3 * rungMs)
  expect(channel).toHaveLength(1)
  expect(announced()).toEqual(['one'])
  await runtime.pass(3 * rungMs)
  expect(announced()).toEqual([])
})

test('one of two sessions is notified; after its process has ended, the other is', async () => {
  const running = new Set([1000, 1001])
  const first = startSession({ runtime: new FakeRuntime(1000, running) })
  const second = startSession({ home: first.home, key: '78', runtime: new FakeRuntime(1001, running) })
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      await first.runtime.pass(100)
      await second.runtime.pass(100)
    }
  }
  for (const { keeper } of [first, second]) keeper.start()
  await pass(20_000)
  for (const { receive } of [first, second]) receive('one')
  await pass(1500)
  expect([first.wakes.length, second.wakes.length].sort()).toEqual([0, 1])
  const [notified, other] = first.wakes.length === 1 ? [first, second] : [second, first]
  running.delete(notified.runtime.pid)
  await pass(3000)
  expect(other.wakes).toHaveLength(1)
})

test('a message returns to a session that had its turn when the session after it has ended without an announcement', async () => {
  const running = new Set([1000, 1001])
  const first = startSession({ runtime: new FakeRuntime(1000, running) })
  const second = startSession({ home: first.home, key: '78', runtime: new FakeRuntime(1001, running) })
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      await first.runtime.pass(100)
      await second.runtime.pass(100)
    }
  }
  for (const { keeper } of [first, second]) keeper.start()
  await pass(20_000)
  for (const { receive } of [first, second]) receive('one')
  await pass(1500)
  const [notified, other] = first.wakes.length === 1 ? [first, second] : [second, first]
  // The wake moves nothing, nor does that of the other session.
  await pass(8000)
  expect([notified.wakes.length, other.wakes.length]).toEqual([1, 1])
  running.delete(other.runtime.pid)
  await pass(8000)
  expect([notified.announced(), notified.announced()]).toEqual([['one'], []])
  await pass(3 * rungMs)
  expect([notified.wakes.length, notified.announced()]).toEqual([2, []])
})

test('what a wake has announced is for the hooks again when the session is hidden meanwhile', async () => {
  const { home, runtime, keeper, wakes, receive, announced } = startSession()
  keeper.start()
  await runtime.pass(20_000)
  receive('one')
  await runtime.pass(1500)
  expect([wakes.length, announced()]).toEqual([1, []])
  mkdirSync(join(home, 'sessions'))
  const record = join(home, 'sessions/77.json')
  writeFileSync(record, JSON.stringify({ parkedJobId: 'job' }))
  await runtime.pass(2000)
  writeFileSync(record, '{}')
  await runtime.pass(2000)
  expect(announced()).toEqual(['one'])
})

test('a server that is killed after a wake that moved nothing leaves the message to the hooks of the next server', async () => {
  const running = new Set([1000])
  const first = startSession({ runtime: new FakeRuntime(1000, running) })
  first.keeper.start()
  await first.runtime.pass(20_000)
  first.receive('one')
  await first.runtime.pass(1500)
  expect([first.wakes.length, first.announced()]).toEqual([1, []])
  running.delete(1000)
  running.add(1001)
  const next = startSession({ ...first, runtime: new FakeRuntime(1001, running) })
  next.keeper.start()
  await next.runtime.pass(3000)
  expect([next.announced(), next.announced()]).toEqual([['one'], []])
  // The hooks have announced it: a third server does not have them do so again.
  running.delete(1001)
  running.add(1002)
  const last = startSession({ ...first, runtime: new FakeRuntime(1002, running) })
  last.keeper.start()
  await last.runtime.pass(3 * rungMs)
  expect(last.announced()).toEqual([])
})

test('a session that starts while the server of another is restarted leaves the notices of that one', async () => {
  const running = new Set([1000])
  const first = startSession({ runtime: new FakeRuntime(1000, running) })
  first.keeper.start()
  await first.runtime.pass(20_000)
  first.receive('one')
  await first.runtime.pass(1000)
  first.receive('two')
  await first.runtime.pass(100)
  const files = () => ['news', 'told'].map(place => readdirSync(first.dir.file(place)).length)
  const before = files()
  expect(before.reduce((sum, count) => sum + count)).toBe(2)
  running.delete(1000)
  running.add(1001)
  const other = startSession({ home: first.home, key: '78', runtime: new FakeRuntime(1001, running) })
  other.keeper.start()
  await other.runtime.pass(3000)
  expect(files()).toEqual(before)
  // Ten minutes later it counts as left behind.
  const last = startSession({ home: first.home, key: '79', runtime: new FakeRuntime(1001, running) })
  await last.runtime.pass(700_000)
  last.keeper.start()
  await last.runtime.pass(3000)
  expect(existsSync(first.dir.path)).toBe(false)
})

test('a server that was closed leaves what no hook has announced to the next server of the session', async () => {
  const first = startSession()
  first.keeper.start()
  await first.runtime.pass(20_000)
  first.receive('one')
  await first.runtime.pass(100)
  await first.keeper.close()
  const next = startSession({ ...first, runtime: new FakeRuntime() })
  next.keeper.start()
  await next.runtime.pass(3000)
  expect(next.announced()).toEqual(['one'])
})

test('a server that continues for an earlier one leaves out what the session has fetched', async () => {
  const first = startSession()
  first.keeper.start()
  await first.runtime.pass(20_000)
  first.receive('one')
  await first.runtime.pass(1500)
  expect(first.wakes).toHaveLength(1)
  Object.assign(first.inbox[0]!, { fetchedBy: { session: 'session-77' } })
  const running = new Set([1001])
  const next = startSession({ ...first, runtime: new FakeRuntime(1001, running) })
  next.keeper.start()
  await next.runtime.pass(3000)
  expect(next.announced()).toEqual([])
})
