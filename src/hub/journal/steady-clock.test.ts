import { expect, test } from 'vitest'
import { SteadyClock } from './steady-clock.ts'

const [minute, day, year] = [60_000, 86_400_000, 365 * 86_400_000]
const today = Date.parse('2026-01-01T00:00:00.000Z')

/** A clock that starts at `wall`, after a history that ended at `last`. */
function start(wall: number, last = { seq: 0, time: 0, steady: 0 }) {
  const at = { now: wall, monotonic: 5000.25 }
  const clock = new SteadyClock({ last, now: () => at.now, monotonic: () => at.monotonic })
  const pass = (ms: number) => {
    at.now += ms
    at.monotonic += ms
  }
  return { at, clock, pass }
}

test('a new history starts with the wall clock, and both run on together', () => {
  const { clock, pass } = start(today)
  expect(clock.read()).toEqual({ time: today, steady: today })
  pass(day)
  expect(clock.read()).toEqual({ time: today + day, steady: today + day })
  expect([clock.takeStep(), clock.wrongAtStart]).toEqual([undefined, undefined])
})

test.for([73 * year, -56 * year, -2 * minute])('a wall clock that is set by %d ms leaves the steady one alone', by => {
  const { at, clock, pass } = start(today)
  pass(minute)
  at.now += by
  expect(clock.takeStep()).toBe(by)
  expect(clock.takeStep()).toBeUndefined()
  pass(23_000)
  expect(clock.read()).toEqual({ time: today + minute + by + 23_000, steady: today + minute + 23_000 })
})

test('a correction of some seconds is no step', () => {
  const { at, clock } = start(today)
  at.now += 59_000
  expect(clock.takeStep()).toBeUndefined()
})

test('after a pause of up to a week the steady clock goes on with the wall clock', () => {
  const steady = today - year
  const { clock } = start(today + 7 * day, { seq: 9, time: today, steady })
  expect(clock.read()).toEqual({ time: today + 7 * day, steady: steady + 7 * day })
  expect(clock.wrongAtStart).toBeUndefined()
})

test.for([7 * day + 1, 73 * year, -2 * minute, -56 * year])(
  'a start %d ms after the end of the history is not believed, and told',
  by => {
    const { clock, pass } = start(today + by, { seq: 9, time: today, steady: today })
    expect(clock.read()).toEqual({ time: today + by, steady: today })
    expect(clock.wrongAtStart).toBe(by)
    pass(minute)
    expect(clock.read().steady).toBe(today + minute)
  },
)

test('a start a moment before the end of the history neither goes back nor is told', () => {
  const { clock } = start(today - 500, { seq: 9, time: today, steady: today })
  expect(clock.read().steady).toBe(today)
  expect(clock.wrongAtStart).toBeUndefined()
})
