import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatCursor, parseCursor } from './events.ts'

test('a formatted cursor parses to the same cursor', () => {
  const cursor = fc.record({ epoch: fc.stringMatching(/^[0-9a-z]{1,32}$/), seq: fc.maxSafeNat() })
  fc.assert(
    fc.property(cursor, cursor => {
      expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
    }),
  )
})

test.each([
  '',
  ':',
  'a',
  'a:',
  ':1',
  'a:-1',
  'a:+1',
  'a:01',
  'a:1.0',
  'a:1e3',
  'a:1 ',
  ' a:1',
  'a:1\n',
  'A:1',
  'é:1',
  'a:1:1',
  'a:9007199254740992',
  `${'a'.repeat(33)}:1`,
])('%j is not a cursor', text => {
  expect(parseCursor(text)).toBeUndefined()
})

test('parsing arbitrary text does not throw, and a parsed cursor formats to the same text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-zA-Z]{0,34}:[0-9-]{0,17}$/)), text => {
      const cursor = parseCursor(text)
      if (cursor) expect(formatCursor(cursor)).toBe(text)
    }),
  )
})
