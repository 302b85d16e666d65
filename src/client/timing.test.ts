import { expect, test } from 'vitest'
import { readTiming } from './timing.ts'

const clock = { now: Date.parse('2026-11-27T18:30:00Z'), timeZone: 'Europe/Berlin' }
const timing = (at: string | undefined, expires?: string) => readTiming({ at, expires }, clock)

test('a span in `expires` counts from the delivery, a point in time is taken as it is', () => {
  expect(timing(undefined)).toEqual({})
  expect(timing('tomorrow 9:00')).toEqual({ at: '2026-11-28T08:00:00.000Z' })
  expect(timing(undefined, 'in 2h')).toEqual({ expiresInS: 7200 })
  expect(timing(undefined, 'tomorrow 9:00')).toEqual({ expiresInS: 13.5 * 3600 })
  expect(timing('in 10m', 'in 2h')).toEqual({ at: '2026-11-27T18:40:00.000Z', expiresInS: 7200 })
  expect(timing('in 30m', '20:30')).toEqual({ at: '2026-11-27T19:00:00.000Z', expiresInS: 1800 })
})

test('an error names the field, and an end before the delivery is an error', () => {
  expect(() => timing('soon')).toThrow('at: that is not a time')
  expect(() => timing(undefined, '9')).toThrow("expires: '9' may be minutes or an hour")
  expect(() => timing('tomorrow 9:00', 'today 20:00')).toThrow(
    'expires: 2026-11-27T20:00:00+01:00 is not after the delivery at 2026-11-28T09:00:00+01:00.',
  )
  expect(() => timing(undefined, 'in 366d')).toThrow(
    'expires: that is too far ahead: a message is kept for a year at most.',
  )
})
