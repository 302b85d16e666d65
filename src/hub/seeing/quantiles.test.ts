import { expect, test } from 'vitest'
import { LastValues } from './quantiles.ts'

test('quantiles are those of the last 100 values', () => {
  const last = new LastValues(100)
  expect(last.quantiles()).toBeUndefined()
  last.add(7)
  expect(last.quantiles()).toEqual({ p50: 7, p99: 7, max: 7 })
  for (let value = 1000; value > 900; value--) last.add(value)
  expect(last.quantiles()).toEqual({ p50: 951, p99: 1000, max: 1000 })
  for (let n = 0; n < 99; n++) last.add(n % 10)
  expect(last.quantiles()).toEqual({ p50: 5, p99: 901, max: 901 })
})
