import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatCursor, parseCursor } from './events.ts'

test('a cursor is read as it was written', () => {
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
])('%j is no cursor', text => {
  expect(parseCursor(text)).toBeUndefined()
})

test('whatever text comes, reading it does not throw, and what is read is written as it came', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-zA-Z]{0,34}:[0-9-]{0,17}$/)), text => {
      const cursor = parseCursor(text)
      if (cursor) expect(formatCursor(cursor)).toBe(text)
    }),
  )
})
