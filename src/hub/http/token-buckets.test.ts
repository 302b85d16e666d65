import { expect, test } from 'vitest'
import { TokenBuckets } from './token-buckets.ts'

/** Makes buckets of 60 tokens a minute, 3 at once, over a clock that the test moves. */
function start(maxKept?: number) {
  const clock = { ms: 1_000_000 }
  return { clock, buckets: new TokenBuckets({ perMinute: 60, burst: 3 }, { now: () => clock.ms, maxKept }) }
}

test('a burst is available at once, then one token per interval', () => {
  const { clock, buckets } = start()
  expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([0, 0, 0])
  expect(buckets.take('a')).toBe(1000)
  clock.ms += 400
  expect(buckets.take('a')).toBe(600)
  clock.ms += 600
  expect([buckets.take('a'), buckets.take('a')]).toEqual([0, 1000])
})

test('a refused take costs nothing: it succeeds after the returned wait', () => {
  const { clock, buckets } = start()
  for (let i = 0; i < 1000; i++) buckets.take('a')
  clock.ms += buckets.take('a')
  expect(buckets.take('a')).toBe(0)
})

test('several tokens are taken together or not at all, and use is a fraction of the burst', () => {
  const { clock, buckets } = start()
  expect(buckets.take('a', 2)).toBe(0)
  expect(buckets.take('a', 2)).toBe(1000)
  expect(buckets.take('b', 3)).toBe(0)
  expect(buckets.mostUsed(0.5)).toEqual([
    { key: 'b', used: 1 },
    { key: 'a', used: 2 / 3 },
  ])
  clock.ms += 1000
  expect(buckets.mostUsed(0.5)).toEqual([{ key: 'b', used: 2 / 3 }])
  expect(buckets.take('a', 2)).toBe(0)
})

test('a long rest fills a bucket to its burst and no further', () => {
  const { clock, buckets } = start()
  buckets.take('a')
  clock.ms += 3_600_000
  expect([1, 2, 3, 4].map(() => buckets.take('a'))).toEqual([0, 0, 0, 1000])
})

test('keys are independent, and waitMs takes no tokens', () => {
  const { buckets } = start()
  for (let i = 0; i < 5; i++) buckets.take('a')
  expect(buckets.waitMs('a')).toBe(1000)
  for (let i = 0; i < 5; i++) expect(buckets.waitMs('b')).toBe(0)
  expect(buckets.take('b')).toBe(0)
})

test('the number of keys is bounded, and the least recently used is evicted first', () => {
  const { buckets } = start(100)
  for (let i = 0; i < 3; i++) buckets.take('busy')
  for (let i = 0; i < 50; i++) buckets.take(`idle ${i}`)
  for (let i = 0; i < 3; i++) buckets.take('late')
  for (let i = 0; i < 97; i++) buckets.take(`stranger ${i}`)
  expect(buckets.size).toBe(100)
  expect(buckets.take('late')).toBeGreaterThan(0)
  expect(buckets.take('busy')).toBe(0)
})
