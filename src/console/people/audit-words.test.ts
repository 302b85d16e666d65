import { expect, test } from 'vitest'
import { detailOf, sinceOf, toneOf } from './audit-words.ts'

test('a span counts back from now; an unknown one means all time', () => {
  const now = Date.parse('2026-11-27T12:00:00.000Z')
  expect(sinceOf('24h', now)).toBe('2026-11-26T12:00:00.000Z')
  expect(sinceOf('7d', now)).toBe('2026-11-20T12:00:00.000Z')
  for (const span of ['', 'x', '5', '<img>', '99999999d']) expect(sinceOf(span, now)).toBeUndefined()
})

test('a line shows its details, or the number of refusals that it summarizes', () => {
  expect(detailOf({ detail: 'owner=sean', count: 1 })).toBe('owner=sean')
  expect(detailOf({ detail: null, count: 40 })).toBe('40 refusals not listed')
  expect(detailOf({ detail: null, count: 1 })).toBe('')
  expect([toneOf('ok'), toneOf('forbidden'), toneOf('conflict')]).toEqual(['good', 'bad', 'warn'])
})
