import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { SendAnswer } from '../../protocol/messages.ts'
import { Kept, type Shelf } from './kept.ts'
import { Outbox, type Outgoing } from './outgoing.ts'

/** A `localStorage` that holds `maxItems` values. */
function shelf(maxItems = Number.POSITIVE_INFINITY): Shelf & { data: Map<string, string> } {
  const data = new Map<string, string>()
  return {
    data,
    get length() {
      return data.size
    },
    key: index => [...data.keys()][index] ?? null,
    getItem: key => data.get(key) ?? null,
    setItem: (key, value) => {
      if (!data.has(key) && data.size >= maxItems) throw new Error('QuotaExceededError')
      data.set(key, value)
    },
    removeItem: key => void data.delete(key),
  }
}

const refused = { code: 'invalid', message: 'no', hint: 'mend it', settled: true }
const offline = { message: 'The hub does not answer.', hint: 'Wait.' }

/** An outbox over `on`, whose hub does what `answers` says one after the other, then stores. */
function outboxOver(on: Shelf, answers: object[] = [], stored = new Set<string>()) {
  const posted: string[] = []
  let items: Outgoing[] = []
  const done: string[] = []
  const post = {
    send: async ({ id, body }: Outgoing['request']) => {
      posted.push(body)
      const failure = answers.shift()
      if (failure) throw failure
      stored.add(id)
      return { id } as SendAnswer
    },
    isStored: async (id: string) => stored.has(id),
  }
  const outbox = new Outbox(
    new Kept('out', 'ana', on),
    post,
    now => (items = now),
    ({ request }) => done.push(request.body),
  )
  return {
    outbox,
    posted,
    done,
    stored,
    items: () => items,
    states: () => items.map(({ request, state }) => `${request.body}: ${state}`),
  }
}

const send = (outbox: Outbox, body: string) => outbox.send({ id: `id-${body}`, to: 'ben', body }, 'ana/ben', 1)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('what is sent twice with one id is one send, and it is gone from the browser once the hub has stored it', async () => {
  const on = shelf()
  const { outbox, posted, done } = outboxOver(on)
  send(outbox, 'a')
  send(outbox, 'a')
  expect(on.data.size).toBe(1)
  await vi.runAllTimersAsync()
  expect([posted, done, on.data.size]).toEqual([['a'], ['a'], 0])
})

test('what the hub did not answer is tried again with its id, before what was written after it', async () => {
  const { outbox, posted, done, items } = outboxOver(shelf(), [offline, offline])
  send(outbox, 'a')
  send(outbox, 'b')
  await vi.advanceTimersByTimeAsync(0)
  expect(items()[0]).toMatchObject({ state: 'waiting', why: offline })
  await vi.advanceTimersByTimeAsync(10_000)
  expect([posted, done]).toEqual([
    ['a', 'a', 'a', 'b'],
    ['a', 'b'],
  ])
})

test('a refused send keeps its text and holds up nothing, until it is tried again or taken back', async () => {
  const { outbox, done, states } = outboxOver(shelf(), [refused])
  send(outbox, 'a')
  send(outbox, 'b')
  await vi.runAllTimersAsync()
  expect([done, states()]).toEqual([['b'], ['a: refused']])
  expect(await outbox.takeBack('id-a')).toMatchObject({ body: 'a' })
  expect(states()).toEqual([])
})

test('a page that is opened later goes on with what the last one left, and shows what was refused', async () => {
  const on = shelf()
  const first = outboxOver(on, [refused, offline])
  send(first.outbox, 'a')
  send(first.outbox, 'b')
  await vi.advanceTimersByTimeAsync(0)
  first.outbox.close()
  const next = outboxOver(on)
  await vi.advanceTimersByTimeAsync(60_000)
  expect([first.posted, next.posted, next.states()]).toEqual([['a', 'b'], ['b'], ['a: refused']])
})

test('after the session has ended nothing is tried until somebody logs in', async () => {
  const { outbox, posted, done } = outboxOver(shelf(), [{ code: 'unauthorized', message: 'ended', hint: 'log in' }])
  send(outbox, 'a')
  await vi.advanceTimersByTimeAsync(600_000)
  expect(posted).toEqual(['a'])
  outbox.wake()
  await vi.runAllTimersAsync()
  expect(done).toEqual(['a'])
})

test('a hub that says for how long to wait is asked no earlier', async () => {
  const { outbox, posted } = outboxOver(shelf(), [
    { code: 'rate_limited', message: 'slow', hint: 'wait', retryAfterMs: 20_000 },
  ])
  send(outbox, 'a')
  await vi.advanceTimersByTimeAsync(19_000)
  expect(posted.length).toBe(1)
  await vi.advanceTimersByTimeAsync(2000)
  expect(posted.length).toBe(2)
})

test('what was stored although no answer came cannot be taken back', async () => {
  const { outbox, stored, items } = outboxOver(shelf(), [offline])
  send(outbox, 'a')
  await vi.advanceTimersByTimeAsync(0)
  stored.add('id-a')
  expect(await outbox.takeBack('id-a')).toBe('stored')
  expect(items()).toEqual([])
})

test('another member in the same browser sees and sends nothing of it', async () => {
  const on = shelf()
  send(outboxOver(on, [offline]).outbox, 'a')
  expect(new Kept('out', 'ben', on).entries()).toEqual([])
  expect(new Kept('out', 'ana', on).entries().length).toBe(1)
})

test('a text that the browser cannot store stays while the page is open', () => {
  const drafts = new Kept<string>('draft', 'ana', shelf(1))
  drafts.set('one', 'a')
  expect(drafts.isLasting).toBe(true)
  drafts.set('two', 'b')
  expect([drafts.get('two'), drafts.isLasting]).toEqual(['b', false])
  expect(new Map(drafts.entries())).toEqual(
    new Map([
      ['one', 'a'],
      ['two', 'b'],
    ]),
  )
  drafts.delete('two')
  expect([drafts.get('two'), drafts.isLasting]).toEqual([undefined, true])
  const none = new Kept<string>('draft', 'ana', undefined)
  none.set('one', 'a')
  expect(none.get('one')).toBe('a')
})
