import { expect, onTestFinished, test, vi } from 'vitest'
import { Level } from './level.ts'

/** A level with fake clocks, over a log whose end is `log.end`; undefined makes its requests fail. */
function start(staleReadsS: number) {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const log = { end: 0 as number | undefined }
  const at = { offset: 0, seq: 0 }
  const level = new Level({
    last: async () => {
      if (log.end === undefined) throw new Error('no answer')
      return log.end
    },
    position: () => at,
    staleReadsS,
    monotonic: () => Date.now(),
  })
  onTestFinished(() => level.close())
  const refused = (check: () => void) => {
    try {
      check()
      return false
    } catch (error) {
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('cut off') })
      return true
    }
  }
  return {
    level,
    log,
    at,
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
    look: () => ({
      staleS: level.staleS,
      reads: !refused(() => level.expectReadable()),
      writes: !refused(() => level.expectWritable()),
    }),
  }
}

test('a hub that is cut off marks its reads as stale, then refuses writes and reads, and recovers by itself', async () => {
  const { level, log, pass, look } = start(10)
  const lost = vi.fn()
  level.onCutOff(lost)
  await pass(60_000)
  expect(look()).toEqual({ staleS: undefined, reads: true, writes: true })
  log.end = undefined
  await pass(3500)
  expect(look()).toEqual({ staleS: 3, reads: true, writes: true })
  await pass(4000)
  expect(look()).toEqual({ staleS: 7, reads: true, writes: false })
  expect(lost).not.toHaveBeenCalled()
  await pass(4000)
  expect(look()).toMatchObject({ reads: false, writes: false })
  expect(lost).toHaveBeenCalledTimes(1)
  log.end = 0
  await pass(1000)
  expect(look()).toEqual({ staleS: undefined, reads: true, writes: true })
  log.end = undefined
  await pass(12_500)
  expect(lost).toHaveBeenCalledTimes(2)
})

test('with staleReadsS 0 a hub refuses reads as soon as it is not level', async () => {
  const { log, pass, look } = start(0)
  await pass(1500)
  expect(look()).toMatchObject({ reads: true })
  log.end = undefined
  await pass(3000)
  expect(look()).toMatchObject({ reads: false, staleS: expect.any(Number) })
})

test('a hub that has not applied all of a reachable log is not level', async () => {
  const { log, at, pass, look } = start(10)
  log.end = 7
  await pass(60_000)
  expect(look()).toMatchObject({ reads: false })
  at.offset = 6
  expect(look()).toMatchObject({ reads: false })
  // Everything that was in the log at the last request.
  at.offset = 7
  expect(look()).toEqual({ staleS: undefined, reads: true, writes: true })
  // Others write faster than this hub applies: its age is that of the last record applied.
  for (let second = 0; second < 5; second++) {
    log.end += 2
    await pass(1000)
    at.offset += 1
  }
  expect(look()).toMatchObject({ staleS: 3, reads: true })
})

test('reach waits until the entry is applied, at most 2 s', async () => {
  const { level, at, pass } = start(10)
  at.seq = 5
  const results: string[] = []
  const wait = (seq: number) => void level.reach(seq).then(isReached => results.push(`${seq} ${isReached}`))
  for (const seq of [5, 7, 8, Number.MAX_SAFE_INTEGER]) wait(seq)
  await pass(1000)
  expect(results).toEqual(['5 true'])
  at.seq = 7
  level.applied()
  await pass(0)
  expect(results).toEqual(['5 true', '7 true'])
  await pass(1100)
  expect(results).toEqual(['5 true', '7 true', '8 false', `${Number.MAX_SAFE_INTEGER} false`])
  wait(9)
  level.close()
  await pass(0)
  expect(results.at(-1)).toBe('9 false')
})

test('catchUp waits for everything in the log at the time of the call; concurrent calls share one request', async () => {
  const { level, log, at, pass } = start(10)
  const asked = vi.fn()
  const results: boolean[] = []
  const catchUp = () => void level.catchUp().then(isReached => results.push(isReached))
  Object.defineProperty(log, 'end', {
    get: () => {
      asked()
      return 3
    },
  })
  for (let request = 0; request < 100; request++) catchUp()
  await pass(200)
  expect(results).toEqual([])
  at.offset = 3
  level.applied()
  await pass(0)
  expect([results.length, results.every(Boolean)]).toEqual([100, true])
  expect(asked.mock.calls.length).toBeLessThanOrEqual(2)
  at.offset = 2
  catchUp()
  await pass(2100)
  expect(results.at(-1)).toBe(false)
})
