import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { SerialTask } from './serial-task.ts'

test('requests during a run cause exactly one more run, after it', async () => {
  const runs = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let started = 0
  const task = new SerialTask(
    () => runs[started++]!.promise,
    () => {},
  )
  task.request()
  task.request()
  task.request()
  expect(started).toBe(1)
  runs[0]!.resolve()
  await turn()
  expect(started).toBe(2)
  runs[1]!.resolve()
  await turn()
  expect(started).toBe(2)
  task.request()
  expect(started).toBe(3)
  runs[2]!.resolve()
  await task.close()
})

test('the same error in consecutive runs is reported once, and again after a run without one', async () => {
  const outcomes = ['full', 'full', '', 'full', 'gone']
  const reported: string[] = []
  const task = new SerialTask(
    async () => {
      const trouble = outcomes.shift()
      if (trouble) throw new Error(trouble)
    },
    error => reported.push((error as Error).message),
  )
  while (outcomes.length > 0) {
    task.request()
    await turn()
  }
  expect(reported).toEqual(['full', 'full', 'gone'])
})

test('close waits for the current run, and starts no other', async () => {
  const run = Promise.withResolvers<void>()
  let started = 0
  const task = new SerialTask(
    async () => {
      started++
      await run.promise
    },
    () => {},
  )
  task.request()
  task.request()
  let isClosed = false
  const closed = task.close().then(() => (isClosed = true))
  await turn()
  expect([isClosed, task.signal.aborted]).toEqual([false, true])
  run.resolve()
  await closed
  task.request()
  expect(started).toBe(1)
})
