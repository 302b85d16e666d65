import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { ensureStore } from '../../../../test/support/empty-store.ts'
import { tempDir } from '../../../../test/support/temp.ts'
import { until } from '../../../../test/support/until.ts'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { openHub } from '../../open-hub.ts'
import { OutgoingWebhooks } from './outgoing-webhooks.ts'
import type { Post, PostResult } from './post.ts'

const [second, minute, hour] = [1000, 60_000, 3_600_000]

/** A hub with jaz and ana, webhooks whose receiver is `answer`, and a clock that advances while all of them wait. */
async function start() {
  let webhooks: OutgoingWebhooks | undefined
  const dataDir = tempDir('lane')
  ensureStore(join(dataDir, 'hub.db'))
  const hub = openHub({
    dataDir,
    onStorageError: error => expect(error).toBeUndefined(),
    onBug: (_, error) => expect(error).toBeUndefined(),
    onCommit: commit => webhooks?.committed(commit),
  })
  const began = Math.floor(hub.steadyNow)
  /** Whether the lane has nothing to do up to the end. */
  let isParked = false
  /** Resolves when that end moves. */
  let moved = Promise.withResolvers<boolean>()
  const world = {
    hub,
    /** Time since the start, in ms. */
    at: 0,
    /** Until when the clock may pass. */
    end: 0,
    answer: (_: Post): PostResult => ({ ok: true, status: 200 }),
    tries: [] as { id: string; at: number; ok: boolean; body: string }[],
    send: async (body = 'hello') => {
      const id = newMessageId()
      await hub.submit({ type: 'message.send', id, by: jaz, to: ['ana'], body })
      return `message_${id}`
    },
    /** The webhooks of a new process over the same store. */
    open: () => {
      webhooks = new OutgoingWebhooks({
        ...{ hub, log: pino({ level: 'silent' }) },
        steady: () => began + world.at,
        send: async post => {
          const result = world.answer(post)
          world.tries.push({ id: post.id, at: world.at, ok: result.ok, body: post.body })
          await setImmediate()
          return result
        },
        pause: async (ms, stop, woken) => {
          const stopped = new Promise<void>(resolve => stop.addEventListener('abort', () => resolve(), { once: true }))
          const until = world.at + ms
          const isWoken = await Promise.race([woken.then(() => true), setImmediate(false)])
          while (!isWoken && !stop.aborted && until > world.end) {
            isParked = true
            const woke = await Promise.race([woken.then(() => true), stopped.then(() => true), moved.promise])
            if (woke) break
          }
          isParked = false
          if (!isWoken && !stop.aborted && until <= world.end) world.at = Math.max(world.at, until)
        },
      })
      return webhooks
    },
    /** Lets the clock pass by as much, and resolves once nothing is left to do by then. */
    pass: async (ms: number) => {
      world.end += ms
      const before = moved
      moved = Promise.withResolvers()
      before.resolve(false)
      for (let n = 0; n < 5; n++) await setImmediate()
      while (!isParked) await setImmediate()
      world.at = world.end
    },
    webhooks: () => webhooks!,
    delivered: () => world.tries.filter(({ ok }) => ok).map(({ id }) => id),
  }
  onTestFinished(async () => {
    await webhooks?.close()
    await hub.close()
  })
  await hub.submit({ type: 'member.add', name: 'jaz', kind: 'machine' })
  await hub.submit({ type: 'member.add', name: 'ana', kind: 'machine' })
  const jaz = 1
  world.open()
  await webhooks!.add({ name: 'w', url: 'http://127.0.0.1:1/', on: ['to ana'] })
  return world
}

const sorted = (ids: string[]) => [...new Set(ids)].sort()
const down: PostResult = { ok: false, why: 'ECONNREFUSED' }

test('a receiver that was down for an hour gets every event soon after it recovers, and few attempts before', async () => {
  const world = await start()
  world.answer = () => down
  const ids = await Promise.all(Array.from({ length: 150 }, () => world.send()))
  await world.pass(hour)
  expect(world.delivered()).toEqual([])
  expect(world.tries.length).toBeGreaterThan(20)
  expect(world.tries.length).toBeLessThan(100)
  world.answer = () => ({ ok: true, status: 200 })
  await world.pass(2 * minute)
  expect(sorted(world.delivered())).toEqual(sorted(ids))
  expect(world.delivered()).toHaveLength(150)
  // Events that were never tried arrive in the order of the history.
  const firstTried = world.tries.filter(
    ({ ok }, n) => ok && world.tries.findIndex(t => t.id === world.tries[n]!.id) === n,
  )
  expect(firstTried.map(({ id }) => id)).toEqual(ids.filter(id => firstTried.some(each => each.id === id)))
  const [webhook] = world.webhooks().list().webhooks
  expect(webhook).toMatchObject({ waiting: 0, dead: 0, delivered: 150 })
})

test('an event that the receiver rejects does not block later ones, and becomes a dead letter after 24 hours', async () => {
  const world = await start()
  const poison = await world.send('poison')
  world.answer = ({ id }) => (id === poison ? { ok: false, why: 'status 500', status: 500 } : { ok: true, status: 200 })
  const rest: string[] = []
  for (let n = 0; n < 20; n++) rest.push(await world.send())
  await world.pass(minute)
  expect(world.delivered()).toEqual(rest)
  await world.pass(23 * hour)
  const webhooks = world.webhooks()
  expect(webhooks.list().webhooks[0]).toMatchObject({ waiting: 1, dead: 0 })
  await world.pass(2 * hour)
  const tries = world.tries.filter(({ id }) => id === poison)
  expect(tries.length).toBeGreaterThan(8)
  expect(tries.length).toBeLessThan(15)
  expect(tries.at(-1)!.at - tries[0]!.at).toBeGreaterThan(24 * hour - second)
  expect(new Set(tries.map(({ body }) => body)).size).toBe(1)
  expect(webhooks.dead('w')).toMatchObject({
    dead: [{ id: poison, why: 'it returned 500', line: 'jaz → ana (request)' }],
    more: 0,
  })

  world.answer = () => ({ ok: true, status: 200 })
  expect(await webhooks.retry('w', poison)).toEqual({ name: 'w', retried: 1 })
  await world.pass(second)
  expect(world.delivered().at(-1)).toBe(poison)
  await expect(webhooks.retry('w', poison)).rejects.toMatchObject({ code: 'not_found' })
})

test('a new process continues where the last one ended: it retries waiting events, and repeats none recorded as delivered', async () => {
  const world = await start()
  const first = await world.send()
  await world.pass(second)
  world.answer = () => down
  const another = await world.send()
  await world.pass(second)
  await world.webhooks().close()
  const third = await world.send()
  world.answer = () => ({ ok: true, status: 200 })
  world.open()
  await world.pass(minute)
  expect(world.delivered()).toEqual([first, ...world.delivered().slice(1)])
  expect(sorted(world.delivered())).toEqual(sorted([first, another, third]))
  expect(world.delivered()).toHaveLength(3)
})

test('Retry-After of a receiver is respected, up to an hour', async () => {
  const world = await start()
  world.answer = () => ({ ok: false, why: 'status 429', status: 429, retryAfterMs: 10 * minute })
  await world.send()
  await world.pass(9 * minute)
  expect(world.tries).toHaveLength(1)
  world.answer = () => ({ ok: false, why: 'status 429', status: 429, retryAfterMs: 1e9 })
  await world.pass(2 * minute)
  expect(world.tries).toHaveLength(2)
  world.answer = () => ({ ok: true, status: 200 })
  await world.pass(hour)
  expect(world.tries.at(-1)).toMatchObject({ ok: true })
})

test('while a receiver is down for days, each new event is tried once and becomes a dead letter', async () => {
  const world = await start()
  world.answer = () => down
  await world.send()
  await world.pass(25 * hour)
  const late = await world.send()
  await world.pass(2 * hour)
  expect(world.tries.filter(({ id }) => id === late)).toHaveLength(1)
  expect(world.webhooks().list().webhooks[0]).toMatchObject({ waiting: 0, dead: 2 })
})

test('a delivered event is not posted again while the store cannot record the delivery', async () => {
  const world = await start()
  const { hub } = world
  const submit = hub.submit.bind(hub)
  let refusals = 3
  hub.submit = (async (command: Parameters<typeof submit>[0]) => {
    if (command.type === 'outgoing.delivered' && refusals-- > 0)
      throw new ClaudeNetError('unavailable', 'The disk is full.', '')
    return submit(command)
  }) as typeof hub.submit
  await world.send()
  await world.pass(minute)
  expect(world.tries).toHaveLength(1)
  expect(world.webhooks().list().webhooks[0]).toMatchObject({ delivered: 1 })
})

test('a lane without events to post stores its position every thousand entries', async () => {
  const world = await start()
  const { hub } = world
  const before = hub.state.position.seq
  const ids = Array.from({ length: 1300 }, () => newMessageId())
  await Promise.all(ids.map(id => hub.submit({ type: 'message.send', id, by: 2, to: ['jaz'], body: 'x' })))
  await world.pass(second)
  const { seq } = hub.state.db.get<{ seq: number }>('select seq from outgoing')!
  expect(hub.state.position.seq - before - 1300).toBe(1)
  expect(seq).toBeGreaterThanOrEqual(before + 1000)
  await until('a wanted one is found behind them', async () => {
    const id = await world.send()
    await world.pass(second)
    return world.delivered().includes(id)
  })
})
