import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readMoment } from './moment.ts'
import { exactTime, momentInWords, momentsOf, wallTimeAt } from './zone.ts'

/** A Friday, 19:30 in Berlin, half a day before midnight nowhere. */
const clock = { now: Date.parse('2026-11-27T18:30:00Z'), timeZone: 'Europe/Berlin' }
const read = (text: string, with_ = clock) => exactTime(readMoment(text, with_).at, with_.timeZone)
const why = (text: string, with_ = clock) => {
  try {
    return `no error, but ${read(text, with_)}`
  } catch (error) {
    return (error as Error).message
  }
}

test.each([
  ['in 10m', '2026-11-27T19:40:00+01:00'],
  ['10m', '2026-11-27T19:40:00+01:00'],
  [' In  10 Minutes ', '2026-11-27T19:40:00+01:00'],
  ['in 1h30m', '2026-11-27T21:00:00+01:00'],
  ['in 1 h and 30 min', '2026-11-27T21:00:00+01:00'],
  ['in 1.5 hours', '2026-11-27T21:00:00+01:00'],
  ['in an hour', '2026-11-27T20:30:00+01:00'],
  ['in 2d', '2026-11-29T19:30:00+01:00'],
  ['1 week', '2026-12-04T19:30:00+01:00'],
  ['in 30s', '2026-11-27T19:30:30+01:00'],
  ['20:00', '2026-11-27T20:00:00+01:00'],
  ['at 20:00', '2026-11-27T20:00:00+01:00'],
  ['today 8pm', '2026-11-27T20:00:00+01:00'],
  ['today at 20:00:30', '2026-11-27T20:00:30+01:00'],
  ['tomorrow 9:00', '2026-11-28T09:00:00+01:00'],
  ['Tomorrow, at 9:30 am', '2026-11-28T09:30:00+01:00'],
  ['tomorrow noon', '2026-11-28T12:00:00+01:00'],
  ['tomorrow 9:00 UTC', '2026-11-28T10:00:00+01:00'],
  ['monday 9:00', '2026-11-30T09:00:00+01:00'],
  ['on Thu at 14:30', '2026-12-03T14:30:00+01:00'],
  ['2027-07-01 9:00', '2027-07-01T09:00:00+02:00'],
  ['2027-07-01T09:00', '2027-07-01T09:00:00+02:00'],
  ['2027-02-01T09:00:00Z', '2027-02-01T10:00:00+01:00'],
  ['2027-02-01t09:00:00.5-05:00', '2027-02-01T15:00:00+01:00'],
  ['2027-02-01 09:00:00+05:45', '2027-02-01T04:15:00+01:00'],
])('%j has one meaning', (text, exact) => {
  expect(read(text)).toBe(exact)
})

test.each([
  ['', 'a time is missing'],
  ['   ', 'a time is missing'],
  ['soon', 'that is not a time'],
  ['in a while', 'that is not a time'],
  ['in 10', 'that is not a time'],
  ['10', "'10' may be minutes or an hour"],
  ['in 0m', 'the shortest time from now is 1s'],
  ['in -5m', 'that is not a time'],
  ['in 2 months', "'months' has no exact length"],
  ['in 1y', "'y' has no exact length"],
  ['in 3000d', 'too far ahead'],
  ['in 99999999999999999999h', 'too far ahead'],
  ['tomorrow', 'at what time? Write tomorrow 9:00'],
  ['tomorrow 9', "'9' alone is not a time of day. Write tomorrow 9:00"],
  ['tomorrow morning', 'that is not a time'],
  ['tomorrow 24:00', 'not a time of day'],
  ['tomorrow 9:60', 'not a time of day'],
  ['tomorrow 9:0', "'9:0' is not a time of day"],
  ['tomorrow 13pm', 'is not clear'],
  ['tomorrow 12am', 'is not clear'],
  ['tomorrow midnight', 'midnight belongs to two days'],
  ['yesterday 9:00', "'yesterday' is not a day"],
  ['9:00', '2026-11-27T09:00:00+01:00 is past: it is 2026-11-27T19:30:00+01:00. Write tomorrow'],
  ['today 9:00', 'is past'],
  ['friday 20:00', 'today is friday'],
  ['next monday 9:00', 'may be several days'],
  ['t 9:00', "'t' is not a day"],
  ['1/2/2027 9:00', "'1/2/2027' may be several dates"],
  ['28.11. 9:00', "'28.11.' may be several dates"],
  ['2027-02-30 9:00', 'there is no 2027-02-30'],
  ['2027-13-01 9:00', 'there is no 2027-13-01'],
  ['2027-02-01', 'at what time? Write 2027-02-01 9:00'],
  ['2026-11-27T18:30:00Z', 'is past'],
  ['2020-01-01T00:00:00Z', 'is past'],
  ['2027-02-30T09:00:00Z', 'there is no 2027-02-30'],
  ['2027-02-01T24:00:00Z', 'is not a time of day'],
  ['2027-02-01T09:00:60Z', 'is not a time of day'],
  ['2027-02-01T09:00+01:00', 'that is no RFC 3339 time'],
  ['2027-02-01T09:00:00+0100', 'that is no RFC 3339 time'],
  ['2027-02-01T09:00:00+25:00', 'is not the offset'],
  ['2099-02-01T09:00:00Z', 'too far ahead'],
  ['9:00 CET', 'not a time'],
  ['tomorrow 9:00; rm -rf /', 'not a time'],
])('%j is refused with the reason', (text, wrong) => {
  expect(why(text)).toContain(wrong)
})

test('a local time that does not exist or occurs twice is refused with the exact times', () => {
  const spring = { now: Date.parse('2027-03-27T12:00:00Z'), timeZone: 'Europe/Berlin' }
  expect(why('tomorrow 2:30', spring)).toBe(
    '02:30 of 2027-03-28 does not exist in Europe/Berlin: the clocks are set forward over it. Write another time',
  )
  expect(read('tomorrow 3:00', spring)).toBe('2027-03-28T03:00:00+02:00')
  expect(read('in 1d', spring)).toBe('2027-03-28T14:00:00+02:00')
  const autumn = { now: Date.parse('2027-10-30T12:00:00Z'), timeZone: 'Europe/Berlin' }
  expect(why('tomorrow 2:30', autumn)).toBe(
    '02:30 of 2027-10-31 comes twice in Europe/Berlin: the clocks are set back over it. Write 2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00',
  )
  expect(read('2027-10-31T02:30:00+01:00', autumn)).toBe('2027-10-31T02:30:00+01:00')
  expect(read('tomorrow 3:00', autumn)).toBe('2027-10-31T03:00:00+01:00')
  // Half an hour, at 2:00.
  const howe = { now: Date.parse('2027-04-03T00:00:00Z'), timeZone: 'Australia/Lord_Howe' }
  expect(why('tomorrow 1:45', howe)).toContain('comes twice')
  expect(read('tomorrow 2:15', howe)).toBe('2027-04-04T02:15:00+10:30')
})

test('days are those of the time zone, not of UTC', () => {
  const late = { now: Date.parse('2026-11-27T12:30:00Z'), timeZone: 'Pacific/Kiritimati' }
  expect(read('tomorrow 9:00', late)).toBe('2026-11-29T09:00:00+14:00')
  expect(read('sunday 9:00', late)).toBe('2026-11-29T09:00:00+14:00')
  const early = { now: Date.parse('2026-11-27T02:30:00Z'), timeZone: 'America/Los_Angeles' }
  expect(read('tomorrow 9:00', early)).toBe('2026-11-27T09:00:00-08:00')
  expect(why('thursday 20:00', early)).toContain('today is thursday')
})

test('a moment is formatted exactly, with its weekday, its zone and the time until it', () => {
  const { now, timeZone } = clock
  expect(momentInWords(readMoment('tomorrow 9:00', clock).at, timeZone, now)).toBe(
    '2026-11-28T09:00:00+01:00 (Saturday, Europe/Berlin, in 14 h)',
  )
  expect(momentInWords(now + 20_000, 'UTC', now)).toBe('2026-11-27T18:30:20Z (Friday, UTC, in 20 s)')
})

test('momentsOf contains the moment from which a local time was made, in any zone', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: Date.parse('1972-01-01') / 1000, max: Date.parse('2100-01-01') / 1000 }),
      fc.constantFrom(
        'Europe/Berlin',
        'America/New_York',
        'Asia/Kathmandu',
        'Australia/Lord_Howe',
        'UTC',
        'Pacific/Apia',
      ),
      (seconds, zone) => {
        const at = seconds * 1000
        const moments = momentsOf(wallTimeAt(at, zone), zone)
        expect(moments).toContain(at)
        expect(moments.length).toBeLessThanOrEqual(2)
        expect(Date.parse(exactTime(at, zone))).toBe(at)
      },
    ),
    { numRuns: 300 },
  )
})

test('any text is read or refused with a sentence, and long texts are handled quickly', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ 0-9a-z:.+-]{0,40}$/)), text => {
      try {
        expect(readMoment(text, clock).at).toBeGreaterThan(clock.now)
      } catch (error) {
        expect((error as Error).message).toMatch(/[a-z]/)
      }
    }),
    { numRuns: 1000 },
  )
  expect(why(`in ${'1h '.repeat(5000)}x`)).toBeTypeOf('string')
  expect(why(`in ${'1'.repeat(50_000)}`)).toBeTypeOf('string')
})
