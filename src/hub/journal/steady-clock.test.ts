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

test('after a pause of up to a week the steady clock continues with the wall clock', () => {
  const steady = today - year
  const { clock } = start(today + 7 * day, { seq: 9, time: today, steady })
  expect(clock.read()).toEqual({ time: today + 7 * day, steady: steady + 7 * day })
  expect(clock.wrongAtStart).toBeUndefined()
})

test.for([7 * day + 1, 73 * year, -2 * minute, -56 * year])(
  'a start %d ms after the end of the history is not trusted, and reported',
  by => {
    const { clock, pass } = start(today + by, { seq: 9, time: today, steady: today })
    expect(clock.read()).toEqual({ time: today + by, steady: today })
    expect(clock.wrongAtStart).toBe(by)
    pass(minute)
    expect(clock.read().steady).toBe(today + minute)
  },
)

test('a start a moment before the end of the history neither sets the steady time back nor is reported', () => {
  const { clock } = start(today - 500, { seq: 9, time: today, steady: today })
  expect(clock.read().steady).toBe(today)
  expect(clock.wrongAtStart).toBeUndefined()
})

/** A clock of a hub that joins others, which starts at `wall` after a history that ended at `last`. */
function join(wall: number, last: { seq: number; time: number; steady: number }, leads = false) {
  const at = { now: wall, monotonic: 5000.25 }
  const clock = new SteadyClock({ last, now: () => at.now, monotonic: () => at.monotonic, leads: () => leads })
  clock.joined(last)
  const pass = (ms: number) => {
    at.now += ms
    at.monotonic += ms
  }
  return { at, clock, pass }
}

const ended = { seq: 9, time: today, steady: today - year }

test.for([day, -day, 0])(
  'a hub whose wall clock is %d ms off joins a history that continues: its entries fit the others',
  by => {
    const { clock, pass } = join(today + by, ended)
    pass(2000)
    expect(clock.read().steady).toBe(ended.steady + 2000)
    // Another hub renews its claim.
    clock.applied({ time: today + 3000, steady: ended.steady + 3000 })
    for (let n = 0; n < 3; n++) {
      pass(60_000)
      const { time, steady } = clock.read()
      expect(clock.read()).toEqual({
        time: today + 3000 + (n + 1) * 60_000,
        steady: ended.steady + 3000 + (n + 1) * 60_000,
      })
      clock.applied({ time, steady })
    }
  },
)

test('after a pause of all hubs each trusts its wall clock once no hub that knows the time has written for 10 s', () => {
  const { clock, pass } = join(today + 3 * day, ended)
  expect(clock.read()).toEqual({ time: today + 3 * day, steady: ended.steady, unsure: true })
  // Another hub that has just joined knows no more.
  clock.applied({ time: today + 3 * day, steady: ended.steady, unsure: true })
  pass(9999)
  expect(clock.read()).toEqual({ time: today + 3 * day + 9999, steady: ended.steady + 9999, unsure: true })
  pass(1)
  const settled = { time: today + 3 * day + 10_000, steady: ended.steady + 3 * day + 10_000 }
  expect(clock.read()).toEqual(settled)
  clock.applied(settled)
  pass(1000)
  expect(clock.read()).toEqual({ time: settled.time + 1000, steady: settled.steady + 1000 })
})

test('the steady time is never behind an entry that was applied, and an old one does not set it back', () => {
  const { clock, pass } = join(today, ended)
  clock.applied({ time: today + minute, steady: ended.steady + minute })
  expect(clock.read().steady).toBe(ended.steady + minute)
  clock.applied({ time: today, steady: ended.steady })
  pass(10)
  expect(clock.read().steady).toBe(ended.steady + minute + 10)
})

test('of several wall clocks that of the leading hub counts, also after it has stopped leading', () => {
  const leader = join(today + day, ended, true)
  const other = join(today, ended)
  for (const { clock, pass } of [leader, other]) {
    clock.applied({ time: today, steady: ended.steady })
    pass(1000)
  }
  const written = leader.clock.read()
  expect(written).toEqual({ time: today + day + 1000, steady: ended.steady + 1000 })
  other.clock.applied(written)
  expect(other.clock.read()).toEqual(written)
})

test('hubs that begin a history together have the steady time of its first entry, however their wall clocks differ', () => {
  const [first, other] = [0, day].map(by => join(today + by, { seq: 0, time: 0, steady: 0 })) as [Joined, Joined]
  const written = first.clock.read()
  other.clock.applied(written)
  first.pass(1000)
  other.pass(1000)
  expect(other.clock.read()).toEqual(first.clock.read())
})

type Joined = ReturnType<typeof join>
