import { getEventListeners } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { type Ear, Wakes } from './wakes.ts'

/** Notes which of some promises have resolved; ask after `settle`. */
function watch(promises: Promise<void>[]): { done: boolean[]; settle: () => Promise<void> } {
  const done = promises.map(() => false)
  for (const [index, promise] of promises.entries()) void promise.then(() => (done[index] = true))
  return { done, settle: () => new Promise(resolve => setImmediate(resolve)) }
}

/** An ear of `member` that has read what there was. */
function listen(wakes: Wakes<string>, member: number, signal = new AbortController().signal): Ear<string> {
  const ear = wakes.listen(member, signal)
  onTestFinished(() => ear.close())
  ear.take()
  return ear
}

test('whoever listens reads from the store first', () => {
  const ear = new Wakes<string>().listen(1, new AbortController().signal)
  expect(ear.take()).toBeUndefined()
  expect(ear.take()).toEqual([])
})

test('a wake reaches all who follow that member, and nobody else', async () => {
  const wakes = new Wakes<string>()
  const ears = [listen(wakes, 1), listen(wakes, 1), listen(wakes, 2)]
  const { done, settle } = watch(ears.map(ear => ear.next()))
  await settle()
  expect(done).toEqual([false, false, false])
  wakes.wake([1], () => 'news')
  await settle()
  expect(done).toEqual([true, true, false])
  expect(ears.map(ear => ear.take())).toEqual([['news'], ['news'], []])
})

test('news is made for those only who are followed', () => {
  const wakes = new Wakes<string>()
  const ear = listen(wakes, 2)
  const asked: number[] = []
  wakes.wake([1, 2, 3], member => {
    asked.push(member)
    return String(member)
  })
  expect([asked, ear.take()]).toEqual([[2], ['2']])
})

test('what comes while the follower is busy is kept for it, in order', async () => {
  const wakes = new Wakes<string>()
  const ear = listen(wakes, 1)
  for (const news of ['a', 'b', 'c']) wakes.wake([1], () => news)
  await ear.next()
  expect(ear.take()).toEqual(['a', 'b', 'c'])
})

test('a wake without news has the follower read, until it has done so, whatever else is told', async () => {
  const wakes = new Wakes<string>()
  const ear = listen(wakes, 1)
  wakes.wake([1], () => 'before')
  wakes.wake([1])
  wakes.wake([1], () => 'after')
  await ear.next()
  expect(ear.take()).toBeUndefined()
  wakes.wake([1], () => 'later')
  expect(ear.take()).toEqual(['later'])
})

test('a follower that is far behind keeps no more than a page, and reads instead', () => {
  const wakes = new Wakes<string>()
  const ear = listen(wakes, 1)
  for (let i = 0; i < 100; i++) wakes.wake([1], () => 'news')
  expect(ear.take()).toHaveLength(100)
  for (let i = 0; i < 101; i++) wakes.wake([1], () => 'news')
  expect(ear.take()).toBeUndefined()
})

test('an abort ends the wait of one and leaves the others waiting', async () => {
  const wakes = new Wakes<string>()
  const leaver = new AbortController()
  const { done, settle } = watch([listen(wakes, 1, leaver.signal).next(), listen(wakes, 1).next()])
  leaver.abort()
  await settle()
  expect(done).toEqual([true, false])
  wakes.wake([1])
  await settle()
  expect(done).toEqual([true, true])
})

test('with a signal that is aborted already there is no wait', async () => {
  await listen(new Wakes<string>(), 1, AbortSignal.abort()).next()
})

test('a signal that outlives thousands of followers gathers no listeners', () => {
  const wakes = new Wakes<string>()
  const { signal } = new AbortController()
  for (let i = 0; i < 1000; i++) wakes.listen(1, signal).close()
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})
