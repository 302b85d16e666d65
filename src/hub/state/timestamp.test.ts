import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isTime, timestamp } from './timestamp.ts'

const limit = 8.64e15

test('a time is formatted as Date does, in any year and to the millisecond', () => {
  const times = fc.oneof(
    fc.integer({ min: -limit, max: limit }),
    fc.integer({ min: 1.7e12, max: 2e12 }),
    fc.double({ min: -limit, max: limit, noNaN: true }),
    fc.constantFrom(0, -0, -1, 999, 1000, 86_399_999, 86_400_000, -86_400_000, limit, -limit),
  )
  fc.assert(
    fc.property(fc.array(times), all => {
      expect(all.map(timestamp)).toEqual(all.map(ms => new Date(ms).toISOString()))
    }),
  )
})

test('a number that is not a time throws', () => {
  for (const ms of [limit + 1, -limit - 1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(isTime(ms)).toBe(false)
    expect(() => timestamp(ms)).toThrow(RangeError)
  }
})
