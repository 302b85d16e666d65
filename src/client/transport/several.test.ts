import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import type { HubKey } from '../../protocol/hub-key.ts'
import type { Known } from '../hub-memory.ts'
import type { HubWay } from '../hubs.ts'
import { isCertainlyUnsent, unanswered } from './direct.ts'
import { Moved } from './hub-connection.ts'
import { SeveralHubs } from './several.ts'
import type { TransportRequest } from './transport.ts'

/** A hub's reaction to a request: a response, an error of the system, or nothing. */
type Does = (request: TransportRequest) => { status?: number; headers?: Record<string, string>; body?: string } | string

const serves: Does = ({ path }) => ({ status: 200, body: path })
const refuses: Does = () => 'ECONNREFUSED'
const isSilent: Does = () => 'silent'
const isBehind: Does = ({ path }) => ({ status: path === '/healthz' ? 200 : 503, body: 'behind' })

const wayOf = (name: string): HubWay => ({
  id: `local ${name}`,
  hub: new URL(`https://${name}:3500`),
  sshHost: 'local',
  hubKey: `sha256//${name}` as HubKey,
})

/** Returns a transport to the hubs a, b and c, which react as `does` says. */
function machine(does: Record<string, Does>, { known = undefined as Known | undefined, random = 0 } = {}) {
  const state = { now: 1_000_000, names: Object.keys(does), known, does, closed: [] as string[] }
  const asked: string[] = []
  const streams: Record<string, Readable[]> = {}
  const open = ({ hub, id }: HubWay) => ({
    label: hub.origin,
    opened: async () => {},
    close: () => void state.closed.push(hub.hostname),
    request: async (request: TransportRequest) => {
      request.signal?.throwIfAborted()
      const name = hub.hostname
      asked.push(`${name} ${request.path}`)
      const what = state.does[name]!(request)
      if (what === 'silent') {
        await new Promise<void>(resolve => request.signal!.addEventListener('abort', () => resolve()))
        throw unanswered(request.signal!.reason as Error, id)
      }
      if (typeof what === 'string') {
        const error = Object.assign(new Error(what), {
          code: what,
          syscall: what === 'ECONNREFUSED' ? 'connect' : 'read',
        })
        throw unanswered(error, hub.origin)
      }
      const { status = 200, headers = {}, body = '' } = what
      const isStream = headers['content-type'] === 'text/event-stream'
      const answer = isStream ? new Readable({ read() {} }) : Readable.from([Buffer.from(body)])
      if (isStream) {
        streams[name] ??= []
        streams[name].push(answer)
      }
      return Object.assign(answer, { statusCode: status, headers }) as unknown as IncomingMessage
    },
  })
  const hubs = new SeveralHubs({
    ways: () => state.names.map(wayOf) as [HubWay, ...HubWay[]],
    open,
    memory: { read: () => state.known, write: written => (state.known = written) },
    now: () => state.now,
    random: () => random,
  })
  const ask = async (path = '/x', more: Partial<TransportRequest> = {}) => {
    const answer = await hubs.request({ method: 'GET', path, headers: {}, ...more })
    const chunks: Buffer[] = []
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk)
    return `${answer.statusCode} ${Buffer.concat(chunks)}`
  }
  return { hubs, state, asked, streams, ask }
}

const post = { method: 'POST', headers: { authorization: 'Bearer t' }, body: '{}' }

test.for([
  ['refuses the connection', refuses, 200],
  ['resets it', () => 'ECONNRESET', 200],
  ['lags behind the log', isBehind, 200],
  ['is down behind a proxy', () => ({ status: 502 }), 200],
  ['is out of date', () => ({ status: 200, headers: { 'claude-net-stale': '4' } }), 200],
] as [string, Does, number][])('a hub that %s is replaced by the next, which stays in use', async ([, does]) => {
  const { ask, asked, state, hubs } = machine({ a: does, b: serves, c: serves })
  expect(await ask('/x', post)).toBe('200 /x')
  expect(await ask('/y', post)).toBe('200 /y')
  expect(asked).toEqual(['a /x', 'b /x', 'b /y'])
  expect([hubs.label, state.known?.at]).toEqual(['https://b:3500', 'local b'])
  // The next process of the machine begins there.
  const next = machine({ a: does, b: serves, c: serves }, { known: state.known! })
  await next.ask()
  expect(next.asked).toEqual(['b /x'])
})

test('a hub that accepts connections and never responds is left within about a second', async () => {
  const { ask, asked } = machine({ a: isSilent, b: serves })
  expect(await ask()).toBe('200 /x')
  expect(asked).toEqual(['a /x', 'a /healthz', 'b /x'])
})

test('a hub that is slow but healthy is not left', async () => {
  const { hubs, state, asked } = machine({ a: ({ path }) => (path === '/healthz' ? {} : 'silent'), b: serves })
  const stop = new AbortController()
  const asking = hubs.request({ method: 'GET', path: '/x', headers: {}, signal: stop.signal })
  asking.catch(() => {})
  await expect.poll(() => asked.filter(each => each === 'a /healthz').length, { timeout: 5000 }).toBe(2)
  stop.abort()
  await expect(asking).rejects.toMatchObject({ code: 'unavailable' })
  expect([asked.filter(each => each.startsWith('b')), state.known]).toEqual([[], undefined])
})

test('a healthy hub that does not respond is not tried first after a request has timed out', async () => {
  const { ask, asked, hubs } = machine({ a: ({ path }) => (path === '/healthz' ? {} : 'silent'), b: serves })
  await expect(ask('/x', { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: 'unavailable' })
  expect(hubs.label).toBe('https://a:3500')
  await expect(ask('/x', { signal: AbortSignal.timeout(3100) })).rejects.toMatchObject({ code: 'unavailable' })
  expect(await ask('/y')).toBe('200 /y')
  expect(asked.filter(each => !each.endsWith('/healthz'))).toEqual(['a /x', 'a /x', 'b /y'])
})

test('a refusal is final, and no other hub is tried', async () => {
  const { ask, asked } = machine({ a: () => ({ status: 403, body: 'no' }), b: serves })
  expect(await ask()).toBe('403 no')
  expect(asked).toEqual(['a /x'])
})

test('without any hub one error names all, and shows whether the request may have been sent', async () => {
  const { ask, state } = machine({ a: refuses, b: refuses, c: refuses })
  const failed = (await ask().catch(error => error)) as ClaudeNetError
  expect(failed).toMatchObject({
    code: 'unavailable',
    message:
      'The hub at https://a:3500 cannot be reached: nothing listens there. The other hubs of this machine cannot be reached either: https://b:3500, https://c:3500.',
  })
  expect(isCertainlyUnsent(failed)).toBe(true)
  state.does.b = () => 'ECONNRESET'
  expect(isCertainlyUnsent(await ask().catch(error => error))).toBe(false)
  expect(state.known).toBeUndefined()
})

test('if every hub lags behind, the response of the first is returned', async () => {
  const { ask, hubs } = machine({ a: isBehind, b: isBehind, c: refuses })
  expect(await ask()).toBe('503 behind')
  expect(hubs.label).toBe('https://a:3500')
})

test('a response that is out of date is better than none', async () => {
  const { ask } = machine({ a: isBehind, b: () => ({ headers: { 'claude-net-stale': '4' }, body: 'old' }), c: refuses })
  expect(await ask()).toBe('200 old')
})

test('hubs are reachable over a network that is slower than the limits', async () => {
  const slowly: Does = request => (request.path === '/healthz' || state.round++ < 1 ? 'silent' : { body: 'late' })
  const state = { round: 0 }
  const { ask } = machine({ a: slowly, b: refuses })
  expect(await ask('/x', { signal: AbortSignal.timeout(5000) })).toBe('200 late')
})

test('the machine returns to its own hub with its streams, at a random time and only if that hub is ready', async () => {
  const { ask, asked, state, streams, hubs } = machine({ a: refuses, b: serves }, { random: 0.5 })
  await ask()
  const events = { 'content-type': 'text/event-stream' }
  state.does.b = ({ path }) => (path === '/events' ? { headers: events } : { body: path })
  await hubs.request({ method: 'GET', path: '/events', headers: {} })
  const ended = new Promise(resolve => streams.b![0]!.on('error', resolve))
  state.now += 10 * 60_000 - 1
  await ask()
  expect(asked.filter(each => each.startsWith('a'))).toEqual(['a /x'])
  state.now += 1
  await ask()
  await delay(0)
  expect([asked.filter(each => each.startsWith('a')), hubs.label]).toEqual([['a /x', 'a /readyz'], 'https://b:3500'])
  state.does.a = serves
  await ask()
  await delay(0)
  // Not before its next time.
  expect(hubs.label).toBe('https://b:3500')
  state.now += 10 * 60_000
  await ask()
  await expect.poll(() => hubs.label).toBe('https://a:3500')
  expect(await ended).toBeInstanceOf(Moved)
  expect(state.known?.at).toBe('local a')
  await expect.poll(() => state.closed).toContain('b')
})

test('a clock that was set back delays the return by 15 minutes at most', async () => {
  const known = { at: 'local b', homeAt: 9_000_000_000, seq: undefined }
  const { ask, state, asked, hubs } = machine({ a: serves, b: serves }, { known, random: 1 })
  await ask()
  state.now += 15 * 60_000
  await ask()
  await expect.poll(() => hubs.label).toBe('https://a:3500')
  expect(asked[0]).toBe('b /x')
})

test('a hub must have reached the position of the log that another hub reported', async () => {
  const at =
    (seq: number): Does =>
    ({ path }) => ({ headers: { 'claude-net-seq': String(seq) }, body: path })
  const { ask, asked, state, hubs } = machine({ a: at(70), b: at(71) })
  await ask('/x', post)
  state.does.a = refuses
  await ask('/x?y=1', post)
  await ask('/x', post)
  // Without a token no position is required.
  state.does.b = refuses
  await ask('/healthz').catch(() => {})
  expect(asked).toEqual(['a /x', 'a /x?y=1', 'b /x?y=1&min_seq=70', 'b /x', 'b /healthz', 'a /healthz'])
  // The next process sees the writes of this one.
  state.does.b = at(72)
  await ask('/x', post)
  hubs.close()
  expect(state.known?.seq).toMatchObject({ value: 72, from: 'local b' })
  const next = machine({ a: at(72), b: refuses }, { known: state.known! })
  await next.ask('/inbox', { ...post, method: 'GET' })
  expect(next.asked).toEqual(['b /inbox', 'a /inbox?min_seq=72'])
  // A log that was restored to an earlier time is accepted after a minute.
  next.state.now += 60_001
  await next.ask('/inbox', post)
  expect(next.asked.at(-1)).toBe('a /inbox')
})

test('a hub that is no longer listed is left, and a machine with one hub has no time limits of its own', async () => {
  const { ask, state, asked, hubs } = machine({ a: refuses, b: serves })
  await ask()
  state.names = ['a']
  await expect(ask()).rejects.toMatchObject({
    message: 'The hub at https://a:3500 cannot be reached: nothing listens there.',
  })
  expect([hubs.label, asked.at(-1)]).toEqual(['https://a:3500', 'a /x'])
  expect(state.closed).toContain('b')
  state.names = ['a', 'c']
  state.does.c = serves
  expect(await ask()).toBe('200 /x')
})
