import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lookupForm, MemberName, namePattern, reservedNames } from './names.ts'

test.each(['a', '7', 'seanclaude', 'sean-claude', 'a--b', '2fast', 'a'.repeat(64)])('%s is a name', name => {
  expect(MemberName.parse(name)).toBe(name)
})

test.each([
  '',
  '-',
  '-a',
  'a-',
  'a'.repeat(65),
  'Sean',
  'se an',
  'séan',
  'sеan',
  'a_b',
  'a.b',
  'a/b',
  '..',
  'a\n',
  'a\0',
  '@sean',
  '__proto__',
  "a'b",
  '$(id)',
  7,
  null,
])('%j is not a name', name => {
  expect(MemberName.safeParse(name).success).toBe(false)
})

test.each([...reservedNames])('%s is reserved, so it is not a name', name => {
  expect(MemberName.safeParse(name)).toMatchObject({
    error: { issues: [{ message: expect.stringContaining('reserved') }] },
  })
})

test('the reserved names are all, hub, admin and system', () => {
  expect([...reservedNames].sort()).toEqual(['admin', 'all', 'hub', 'system'])
})

test.each([
  ['Sean', 'sean'],
  [' @SeanClaude ', 'seanclaude'],
  ['@@sean', '@sean'],
  ['@', ''],
])('%j is looked up as %j', (typed, form) => {
  expect(lookupForm(typed)).toBe(form)
})

test('a name is looked up as itself, also with an @ and in capitals', () => {
  fc.assert(
    fc.property(fc.stringMatching(namePattern), name => {
      expect(lookupForm(name)).toBe(name)
      expect(lookupForm(`@${name.toUpperCase()}`)).toBe(name)
    }),
  )
})
