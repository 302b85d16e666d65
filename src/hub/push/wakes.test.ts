import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { Wakes } from './wakes.ts'

/** Notes which of some promises have resolved; ask after `settle`. */
function watch(promises: Promise<void>[]): { done: boolean[]; settle: () => Promise<void> } {
  const done = promises.map(() => false)
  for (const [index, promise] of promises.entries()) void promise.then(() => (done[index] = true))
  return { done, settle: () => new Promise(resolve => setImmediate(resolve)) }
}

const never = () => new AbortController().signal

test('a wake reaches all who wait for that member, and nobody else', async () => {
  const wakes = new Wakes()
  const { done, settle } = watch([wakes.next(1, never()), wakes.next(1, never()), wakes.next(2, never())])
  await settle()
  expect(done).toEqual([false, false, false])
  wakes.wake([1])
  await settle()
  expect(done).toEqual([true, true, false])
})

test('one wake can be for many members, and name one twice', async () => {
  const wakes = new Wakes()
  const { done, settle } = watch([wakes.next(1, never()), wakes.next(2, never())])
  wakes.wake([1, 2, 1, 3])
  await settle()
  expect(done).toEqual([true, true])
})

test('a wake that nobody waits for is forgotten: who comes later has read the news before', async () => {
  const wakes = new Wakes()
  wakes.wake([1])
  const { done, settle } = watch([wakes.next(1, never())])
  await settle()
  expect(done).toEqual([false])
})

test('who waits again when woken waits for the next wake', async () => {
  const wakes = new Wakes()
  let woken = 0
  const wait = async (): Promise<void> => {
    await wakes.next(1, never())
    woken++
    await wait()
  }
  void wait()
  for (const expected of [1, 2, 3]) {
    wakes.wake([1])
    await new Promise(resolve => setImmediate(resolve))
    expect(woken).toBe(expected)
  }
})

test('an abort ends the wait of one and leaves the others waiting', async () => {
  const wakes = new Wakes()
  const leaver = new AbortController()
  const { done, settle } = watch([wakes.next(1, leaver.signal), wakes.next(1, never())])
  leaver.abort()
  await settle()
  expect(done).toEqual([true, false])
  wakes.wake([1])
  await settle()
  expect(done).toEqual([true, true])
})

test('with a signal that is aborted already there is no wait', async () => {
  await new Wakes().next(1, AbortSignal.abort())
})

test('a signal that outlives thousands of waits gathers no listeners', async () => {
  const wakes = new Wakes()
  const { signal } = new AbortController()
  for (let i = 0; i < 1000; i++) {
    const wait = wakes.next(1, signal)
    wakes.wake([1])
    await wait
  }
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})
