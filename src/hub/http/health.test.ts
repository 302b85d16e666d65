import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Hub } from '../hub.ts'
import { writeProbe } from './health.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

test('the probe writes at most twice a second, and notices within a second that the store refuses writes', async () => {
  let writes = 0
  let isFull = false
  const hub = {
    submit: () => {
      writes++
      return isFull ? Promise.reject(new Error('full')) : Promise.resolve({})
    },
  } as unknown as Hub
  const probe = writeProbe()
  for (let n = 0; n < 100; n++) await probe(hub)
  expect(writes).toBe(1)
  isFull = true
  vi.advanceTimersByTime(600)
  await expect(probe(hub)).rejects.toThrow('full')
  isFull = false
  vi.advanceTimersByTime(600)
  await probe(hub)
  expect(writes).toBe(3)
})
