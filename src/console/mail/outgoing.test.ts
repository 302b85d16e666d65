import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { SendAnswer } from '../../protocol/messages.ts'
import { Outbox, type Outgoing } from './outgoing.ts'
import { StoredValues, type ValueStorage } from './stored-values.ts'

/** Returns a `localStorage` that holds at most `maxItems` values. */
function shelf(maxItems = Number.POSITIVE_INFINITY): ValueStorage & { data: Map<string, string> } {
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
const offline = { message: 'The hub does not respond.', hint: 'Wait.' }

/** Returns an outbox over `on` whose hub responds with `answers` in turn, and then stores. */
function outboxOver(on: ValueStorage, answers: object[] = [], stored = new Set<string>()) {
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
    new StoredValues('out', 'ana', on),
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

test('a send repeated under its id is one send, and leaves the browser once the hub has stored it', async () => {
  const on = shelf()
  const { outbox, posted, done } = outboxOver(on)
  send(outbox, 'a')
  send(outbox, 'a')
  expect(on.data.size).toBe(1)
  await vi.runAllTimersAsync()
  expect([posted, done, on.data.size]).toEqual([['a'], ['a'], 0])
})

test('a send without a response is retried with its id, before later ones', async () => {
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

test('a refused send keeps its text and does not block others, until it is retried or taken back', async () => {
  const { outbox, done, states } = outboxOver(shelf(), [refused])
  send(outbox, 'a')
  send(outbox, 'b')
  await vi.runAllTimersAsync()
  expect([done, states()]).toEqual([['b'], ['a: refused']])
  expect(await outbox.takeBack('id-a')).toMatchObject({ body: 'a' })
  expect(states()).toEqual([])
})

test('a page opened later continues with the sends of the previous one, and shows refused ones', async () => {
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

test('after the session has ended nothing is retried until the next login', async () => {
  const { outbox, posted, done } = outboxOver(shelf(), [{ code: 'unauthorized', message: 'ended', hint: 'log in' }])
  send(outbox, 'a')
  await vi.advanceTimersByTimeAsync(600_000)
  expect(posted).toEqual(['a'])
  outbox.wake()
  await vi.runAllTimersAsync()
  expect(done).toEqual(['a'])
})

test('a hub that requests a pause gets no earlier retry', async () => {
  const { outbox, posted } = outboxOver(shelf(), [
    { code: 'rate_limited', message: 'slow', hint: 'wait', retryAfterMs: 20_000 },
  ])
  send(outbox, 'a')
  await vi.advanceTimersByTimeAsync(19_000)
  expect(posted.length).toBe(1)
  await vi.advanceTimersByTimeAsync(2000)
  expect(posted.length).toBe(2)
})

test('a send that was stored without a response cannot be taken back', async () => {
  const { outbox, stored, items } = outboxOver(shelf(), [offline])
  send(outbox, 'a')
  await vi.advanceTimersByTimeAsync(0)
  stored.add('id-a')
  expect(await outbox.takeBack('id-a')).toBe('stored')
  expect(items()).toEqual([])
})

test('another member in the same browser neither sees nor sends it', async () => {
  const on = shelf()
  send(outboxOver(on, [offline]).outbox, 'a')
  expect(new StoredValues('out', 'ben', on).entries()).toEqual([])
  expect(new StoredValues('out', 'ana', on).entries().length).toBe(1)
})

test('a text that the browser cannot store stays while the page is open', () => {
  const drafts = new StoredValues<string>('draft', 'ana', shelf(1))
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
  const none = new StoredValues<string>('draft', 'ana', undefined)
  none.set('one', 'a')
  expect(none.get('one')).toBe('a')
})
