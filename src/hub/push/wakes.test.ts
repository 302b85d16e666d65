import { getEventListeners } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { type Subscription, Wakes } from './wakes.ts'

/** Records which of `promises` have resolved; `done` is current after `settle`. */
function watch(promises: Promise<void>[]): { done: boolean[]; settle: () => Promise<void> } {
  const done = promises.map(() => false)
  for (const [index, promise] of promises.entries()) void promise.then(() => (done[index] = true))
  return { done, settle: () => new Promise(resolve => setImmediate(resolve)) }
}

/** Returns a subscription to `member` whose first read of the store is done. */
function subscribe(wakes: Wakes<string>, member: number, signal = new AbortController().signal): Subscription<string> {
  const subscription = wakes.subscribe(member, signal)
  onTestFinished(() => subscription.close())
  subscription.take()
  return subscription
}

test('a new subscriber reads from the store first', () => {
  const subscription = new Wakes<string>().subscribe(1, new AbortController().signal)
  expect(subscription.take()).toBeUndefined()
  expect(subscription.take()).toEqual([])
})

test('a wake reaches all followers of that member, and no others', async () => {
  const wakes = new Wakes<string>()
  const subscriptions = [subscribe(wakes, 1), subscribe(wakes, 1), subscribe(wakes, 2)]
  const { done, settle } = watch(subscriptions.map(each => each.next()))
  await settle()
  expect(done).toEqual([false, false, false])
  wakes.wake([1], () => 'news')
  await settle()
  expect(done).toEqual([true, true, false])
  expect(subscriptions.map(each => each.take())).toEqual([['news'], ['news'], []])
})

test('news is made only for members with followers', () => {
  const wakes = new Wakes<string>()
  const subscription = subscribe(wakes, 2)
  const asked: number[] = []
  wakes.wake([1, 2, 3], member => {
    asked.push(member)
    return String(member)
  })
  expect([asked, subscription.take()]).toEqual([[2], ['2']])
})

test('news that arrives while the follower is busy is kept for it, in order', async () => {
  const wakes = new Wakes<string>()
  const subscription = subscribe(wakes, 1)
  for (const news of ['a', 'b', 'c']) wakes.wake([1], () => news)
  await subscription.next()
  expect(subscription.take()).toEqual(['a', 'b', 'c'])
})

test('after a wake without news the follower reads from the store, whatever news came with it', async () => {
  const wakes = new Wakes<string>()
  const subscription = subscribe(wakes, 1)
  wakes.wake([1], () => 'before')
  wakes.wake([1])
  wakes.wake([1], () => 'after')
  await subscription.next()
  expect(subscription.take()).toBeUndefined()
  wakes.wake([1], () => 'later')
  expect(subscription.take()).toEqual(['later'])
})

test('at most 100 items of news are kept for a follower; one further behind reads from the store', () => {
  const wakes = new Wakes<string>()
  const subscription = subscribe(wakes, 1)
  for (let i = 0; i < 100; i++) wakes.wake([1], () => 'news')
  expect(subscription.take()).toHaveLength(100)
  for (let i = 0; i < 101; i++) wakes.wake([1], () => 'news')
  expect(subscription.take()).toBeUndefined()
})

test('an abort ends the wait of one and leaves the others waiting', async () => {
  const wakes = new Wakes<string>()
  const leaver = new AbortController()
  const { done, settle } = watch([subscribe(wakes, 1, leaver.signal).next(), subscribe(wakes, 1).next()])
  leaver.abort()
  await settle()
  expect(done).toEqual([true, false])
  wakes.wake([1])
  await settle()
  expect(done).toEqual([true, true])
})

test('with an aborted signal there is no wait', async () => {
  await subscribe(new Wakes<string>(), 1, AbortSignal.abort()).next()
})

test('a signal that outlives its followers accumulates no listeners', () => {
  const wakes = new Wakes<string>()
  const { signal } = new AbortController()
  for (let i = 0; i < 1000; i++) wakes.subscribe(1, signal).close()
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})
