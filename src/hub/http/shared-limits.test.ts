import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryBoard } from '../../../test/support/memory-board.ts'
import { SharedLimits } from './shared-limits.ts'
import { TokenBuckets } from './token-buckets.ts'

/** Starts hubs that share a limit over a board, whose values arrive within a second. */
function start(rate: { perMinute: number; burst: number }, hubs = 3) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const shared = new MemoryBoard()
  const open = (name: string) => {
    const board = shared.connect(name)
    let late: string | undefined
    const put = board.put.bind(board)
    board.put = (_topic, value) => {
      late = value
    }
    setInterval(() => late !== undefined && put('limits', late), 1000)
    const buckets = new TokenBuckets(rate)
    const limits = new SharedLimits(board)
    limits.share({ sends: { rate, buckets }, reads: undefined })
    return buckets
  }
  return { shared, open, all: Array.from({ length: hubs }, (_, index) => open(`h${index}`)) }
}

/** Returns how many of `perSecond` tries a second, at the hubs in turn, succeed in `minutes`. */
async function got(all: TokenBuckets[], key: string, perSecond: number, minutes: number): Promise<number> {
  let passed = 0
  for (let tries = 0; tries < perSecond * 60 * minutes; tries++) {
    if (all[tries % all.length]!.take(key) === 0) passed++
    await vi.advanceTimersByTimeAsync(1000 / perSecond)
  }
  return passed
}

test('a token has the same limit at one hub and at three in turn', async () => {
  const { all } = start({ perMinute: 60, burst: 30 })
  // At one hub: the burst, and one a second.
  expect(await got(all.slice(0, 1), 'one', 5, 10)).toBe(629)
  const inTurn = await got(all, 'three', 5, 10)
  expect(inTurn).toBeGreaterThan(600)
  expect(inTurn).toBeLessThan(660)
})

test('a key that takes few tokens is never delayed, nor published', async () => {
  const { shared, all } = start({ perMinute: 600, burst: 120 })
  expect(await got(all, 'quiet', 0.5, 10)).toBe(300)
  expect(shared.values.size).toBe(0)
})

test('a daily bound that is used up at one hub is used up at all of them', async () => {
  const { all } = start({ perMinute: 100 / 1440, burst: 100 })
  expect(await got(all.slice(0, 1), 'ana', 2, 1)).toBe(100)
  expect(all[1]!.waitMs('ana')).toBeGreaterThan(0)
  expect(all[1]!.waitMs('ben')).toBe(0)
})

test('a hub that restarts or returns delays nobody for more than one bucket', async () => {
  const { open, all } = start({ perMinute: 60, burst: 10 }, 2)
  await got(all, 'ana', 5, 20)
  const late = open('h9')
  await vi.advanceTimersByTimeAsync(2000)
  await got(all.slice(0, 1), 'ana', 1, 0.1)
  expect(late.waitMs('ana')).toBeLessThanOrEqual(1000)
  await vi.advanceTimersByTimeAsync(11_000)
  expect(late.waitMs('ana', 9)).toBe(0)
})

test('malformed parts of what another hub publishes are ignored', () => {
  const { shared, all } = start({ perMinute: 60, burst: 10 }, 1)
  const taken = {
    sends: { ana: 1e15, ben: -5, cid: '9', dan: 0.5, eve: Number.MAX_VALUE, [`f${'x'.repeat(200)}`]: 9, good: 4 },
    reads: { good: 1 },
    later: { good: 1 },
    __proto__: { good: 9 },
  }
  for (const odd of ['', 'null', '[]', '{}', '{"run":1,"taken":{}}', '{"run":"r","taken":{"sends":7}}'])
    shared.set('two/limits', odd)
  shared.set('two/limits', JSON.stringify({ run: 'r', taken, more: 1 }))
  const [buckets] = all as [TokenBuckets]
  expect(buckets.size).toBe(2)
  // A charge empties a bucket at most.
  expect([buckets.waitMs('ana'), buckets.waitMs('good', 6), buckets.waitMs('good', 7)]).toEqual([1000, 0, 1000])
})
