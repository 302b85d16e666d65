import { expect, test } from 'vitest'
import { FloodGate, maxPerSource } from './flood-gate.ts'

test('the first refusals of each source in a minute are admitted, and the next minute starts from zero', () => {
  const gate = new FloodGate()
  const entered = (source: string, now: number) =>
    Array.from({ length: 100 }, () => gate.enter(source, now)).filter(Boolean).length
  expect(entered('a', 0)).toBe(maxPerSource)
  expect(entered('b', 1000)).toBe(maxPerSource)
  expect(entered('a', 59_999)).toBe(0)
  expect(entered('a', 60_000)).toBe(maxPerSource)
})

test('all sources together have a limit too, so that a distributed flood is bounded', () => {
  const gate = new FloodGate()
  const entered = Array.from({ length: 5000 }, (_, n) => gate.enter(`source ${n}`, 0)).filter(Boolean).length
  expect(entered).toBe(600)
})

test('refusals that were not admitted are counted once, when their minute is over', () => {
  const gate = new FloodGate()
  for (let n = 0; n < maxPerSource + 5; n++) gate.enter('a', 0)
  expect(gate.hasSkipped).toBe(true)
  expect(gate.takeSkipped(59_999, false)).toBe(0)
  expect(gate.takeSkipped(60_000, false)).toBe(5)
  expect(gate.takeSkipped(120_000, true)).toBe(0)
  expect(gate.hasSkipped).toBe(false)
})
