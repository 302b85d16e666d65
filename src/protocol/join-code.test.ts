import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hashJoinCode, joinCodeLifeS, joinCodePattern, mintJoinCode, normalizeJoinCode } from './join-code.ts'

test('a minted code has four groups of four, and no two codes are alike', () => {
  const codes = Array.from({ length: 1000 }, mintJoinCode)
  for (const code of codes) expect(code).toMatch(joinCodePattern)
  expect(new Set(codes).size).toBe(1000)
  // Every character of the alphabet occurs: none of the 80 bits is lost.
  expect(new Set(codes.join('').replaceAll('-', '')).size).toBe(32)
})

test.each([
  ['ABCD-EFGH-JKMN-PQRS', 'ABCD-EFGH-JKMN-PQRS'],
  ['abcd-efgh-jkmn-pqrs', 'ABCD-EFGH-JKMN-PQRS'],
  ['abcdefghjkmnpqrs', 'ABCD-EFGH-JKMN-PQRS'],
  [' ABCD EFGH\tJKMN PQRS\n', 'ABCD-EFGH-JKMN-PQRS'],
  ['ABC-DEFG-HJKM-NPQ-RS', 'ABCD-EFGH-JKMN-PQRS'],
  ['oooo-iiii-llll-0101', '0000-1111-1111-0101'],
  ['', ''],
])('%j is read as %s', (typed, code) => {
  expect(normalizeJoinCode(typed)).toBe(code)
})

test('the canonical form of a code is the code itself, in any case', () => {
  for (let i = 0; i < 100; i++) {
    const code = mintJoinCode()
    expect(normalizeJoinCode(code)).toBe(code)
    expect(normalizeJoinCode(code.toLowerCase().replaceAll('-', ''))).toBe(code)
  }
})

test('normalizing arbitrary text does not throw, and is idempotent', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      const form = normalizeJoinCode(text)
      expect(normalizeJoinCode(form)).toBe(form)
    }),
  )
})

test.each([
  'ABCD-EFGH-JKMN',
  'ABCD-EFGH-JKMN-PQRS-TVWX',
  'ABCD-EFGH-JKMN-PQRU',
  'ABCD-EFGH-JKMN-PQR\n',
  "ABCD-EFGH-JKMN-PQR'",
])('%j is not a code', text => {
  expect(joinCodePattern.test(text)).toBe(false)
})

test('the stored hash of a code is stable and differs from other hashes', () => {
  expect(hashJoinCode('ABCD-EFGH-JKMN-PQRS').toString('hex')).toBe(
    '4c2a7bd8c2f12bf51fa20a8fb54b87f80c31616b454b6dc500bb6678ca0af3ff',
  )
})

test('a code is valid for ten minutes', () => {
  expect(joinCodeLifeS).toBe(600)
})
