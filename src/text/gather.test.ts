import { expect, test } from 'vitest'
import { gatherInWords } from './gather.ts'
import { moment } from './spans.ts'

const now = new Date(2026, 10, 26, 14, 0).getTime()
const at = (hoursAgo: number) => new Date(now - hoursAgo * 3_600_000).toISOString()

type State = Parameters<typeof gatherInWords>[0][number]

/** Returns a recipient who is online and has read nothing, changed by `more`. */
const state = (name: string, more: Partial<State> = {}): State => ({
  ...{ name, status: 'stored', online: true, lastSeenAt: at(0), ...more },
})

test('one line names those who have answered, and the others by the state of their delivery', () => {
  const receipts = [
    state('ana', { status: 'acked', answeredAt: at(1) }),
    state('ben', { answeredAt: at(1), online: false }),
    state('cat', { status: 'fetched' }),
    state('dan', { status: 'acked', online: false }),
    state('eve'),
    state('fay', { heldSince: at(1), online: false }),
    state('gus', { status: 'refused' }),
    state('hal', { status: 'expired' }),
    state('jaz', { online: false, lastSeenAt: at(72), project: 'billing' }),
    state('kim', { online: false, lastSeenAt: null }),
  ]
  expect(gatherInWords(receipts, now)).toBe(
    '2 of 10 answered: ana, ben; shown to 2: cat, dan; unread at 1: eve; held for the user of 1: fay; expired at 1: hal; refused by 1: gus; offline since Monday: jaz/billing; no session yet: kim',
  )
})

test('the states of a thousand offline recipients take less than 500 characters', () => {
  const receipts = Array.from({ length: 1000 }, (_, n) =>
    state(`m${n}`, { online: false, lastSeenAt: at(24 * (n % 300)) }),
  )
  expect(gatherInWords(receipts, now).length).toBeLessThan(500)
  expect(gatherInWords(receipts, now)).toMatch(
    /^0 of 1000 answered; offline since .*; offline longer: .* and \d+ more$/,
  )
})

test('a moment is formatted as a time of day, a day of the week, or a date', () => {
  expect([1, 19, 30, 140, 200].map(hours => moment(now - hours * 3_600_000, now))).toEqual([
    '13:00',
    '19:00',
    'Wednesday',
    'Friday',
    '18 Nov',
  ])
  expect(moment(new Date(2025, 10, 3).getTime(), now)).toBe('3 Nov 2025')
})
