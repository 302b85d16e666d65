import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { MessageId, messageIdFor, newMessageId } from './ids.ts'

test('a new id is a lower-case UUIDv7; later ids sort after earlier ones', () => {
  const ids = Array.from({ length: 1000 }, newMessageId)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(ids).toEqual([...new Set(ids)].sort())
})

test('ids increase while the clock stands still or is set back, and no two share their random end', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 })
  onTestFinished(() => void vi.useRealTimers())
  const ids: string[] = []
  for (const step of [0, 1, -60_000, 0, 120_000]) {
    vi.setSystemTime(Date.now() + step)
    ids.push(...Array.from({ length: 1000 }, newMessageId))
  }
  expect(ids).toEqual([...new Set(ids)].sort())
  expect(new Set(ids.map(id => id.slice(-12))).size).toBe(ids.length)
})

test('a new id begins with the time', () => {
  const before = Date.now()
  const time = Number.parseInt(newMessageId().replaceAll('-', '').slice(0, 12), 16)
  expect(time).toBeGreaterThanOrEqual(before)
  expect(time).toBeLessThanOrEqual(Date.now())
})

test('the id of a seed never changes, so a retried call is the same message even after an update', () => {
  expect(messageIdFor('toolu_01')).toBe('de192ad2-c3a7-88fa-a99b-a9db512cc562')
})

test('different seeds have different ids, all of them UUIDv8', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      fc.pre(one !== other)
      expect(messageIdFor(one)).not.toBe(messageIdFor(other))
      expect(messageIdFor(one)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(MessageId.parse(messageIdFor(one))).toBe(messageIdFor(one))
    }),
  )
})

test('an id is parsed to lower case', () => {
  const id = newMessageId()
  expect(MessageId.parse(id.toUpperCase())).toBe(id)
})

test.each([
  '',
  'x',
  '019b0000-0000-7000-8000-00000000000',
  '019b0000-0000-7000-8000-0000000000000',
  '019b000000007000800000000000000a',
  '{019b0000-0000-7000-8000-00000000000a}',
  '019b0000-0000-7000-8000-00000000000g',
  '019b0000-0000-7000-8000-00000000000a\n',
  7,
  null,
  undefined,
])('%j is not an id', value => {
  expect(MessageId.safeParse(value).success).toBe(false)
})
