import { expect, test } from 'vitest'
import { isQuiet, untilClock } from './quiet.ts'

const at = (iso: string) => Date.parse(iso)
const night = { quiet: ['22:00', '07:00'] as [string, string], timezone: 'Europe/London' }

test('T16 quiet hours may span midnight, in local time', () => {
  expect(isQuiet(night, at('2026-01-10T21:59:00Z'))).toBe(false)
  expect(isQuiet(night, at('2026-01-10T22:00:00Z'))).toBe(true)
  expect(isQuiet(night, at('2026-01-11T06:59:59Z'))).toBe(true)
  expect(isQuiet(night, at('2026-01-11T07:00:00Z'))).toBe(false)
})

test('T16 quiet hours follow local time through changes of daylight saving', () => {
  // The last Sunday of March 2026: 01:00 becomes 02:00. In summer the night begins at 21:00 UTC.
  expect(isQuiet(night, at('2026-03-29T06:30:00Z'))).toBe(false)
  expect(isQuiet(night, at('2026-03-29T05:59:00Z'))).toBe(true)
  expect(isQuiet(night, at('2026-03-29T21:00:00Z'))).toBe(true)
  // The last Sunday of October: the hour from 01:00 comes twice.
  const twice = { quiet: ['01:00', '02:00'] as [string, string], timezone: 'Europe/London' }
  for (const hour of ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z']) expect(isQuiet(twice, at(hour))).toBe(true)
  expect(isQuiet(twice, at('2026-10-25T02:00:00Z'))).toBe(false)
})

test('T16 quiet hours within a day, without any, and of zero length', () => {
  const noon = { quiet: ['12:00', '13:00'] as [string, string], timezone: 'UTC' }
  expect(isQuiet(noon, at('2026-01-10T12:30:00Z'))).toBe(true)
  expect(isQuiet(noon, at('2026-01-10T13:00:00Z'))).toBe(false)
  expect(isQuiet({}, at('2026-01-10T12:30:00Z'))).toBe(false)
  expect(isQuiet({ quiet: ['12:00', '12:00'], timezone: 'UTC' }, at('2026-01-10T12:00:00Z'))).toBe(false)
  // Without a zone it is the hub's own.
  expect(() => isQuiet({ quiet: ['12:00', '13:00'] }, at('2026-01-10T12:30:00Z'))).not.toThrow()
})

test('the next occurrence of a time of day is after now, within a day', () => {
  expect(untilClock('08:00', at('2026-01-10T07:30:00Z'), 'UTC')).toBe(30 * 60_000)
  expect(untilClock('08:00', at('2026-01-10T08:00:00Z'), 'UTC')).toBe(24 * 3600_000)
})
