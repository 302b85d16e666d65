import fc from 'fast-check'
import { expect, test } from 'vitest'
import { excerpt, marked } from './marks.ts'

const shown = (text: string, query: string) =>
  marked(text, query)
    .map(({ text, isHit }) => (isHit ? `[${text}]` : text))
    .join('')

test.each([
  ['The Café is open, cafés are not', 'cafe', 'The [Café] is open, [café]s are not'],
  ['getUserName of username', 'name', 'getUser[Name] of username'],
  ['deploy redeploy', 'Deploy', '[deploy] redeploy'],
  ['東京都の天気', '天気', '東京都の[天気]'],
  ['a b', 'b a', '[a] [b]'],
  ['<img onerror=x> .*', '.*', '<img onerror=x> .*'],
  ['<img onerror=x>', '<img', '<[img] onerror=x>'],
  ['e\u0301tude', 'etude', '[e\u0301tude]'],
  ['İstanbul', 'istanbul', '[İstanbul]'],
  ['', 'a', ''],
])('in %j the hits of %j are marked', (text, query, expected) => {
  expect(shown(text, query)).toBe(expected)
})

test('the pieces of a text, joined, are the text', () => {
  const unit = fc.constantFrom(...'aAbé1 .İß😀東天\u0301\u202e\ud800')
  fc.assert(
    fc.property(fc.string({ unit }), fc.string({ unit, maxLength: 4 }), (text, query) => {
      expect(
        marked(text, query)
          .map(piece => piece.text)
          .join(''),
      ).toBe(text)
    }),
  )
})

test('an excerpt surrounds the first hit', () => {
  const text = `${'many words '.repeat(100)}the needle ${'and more '.repeat(100)}`
  const found = excerpt(text, 'needle')
  expect(found).toMatch(/^…[a-z].{20,60}needle.*…$/)
  expect(found.length).toBeLessThan(300)
  expect(excerpt('short needle', 'needle')).toBe('short needle')
  expect(excerpt('no such word', 'needle')).toBe('no such word')
  expect(excerpt(`${'😀'.repeat(200)}`, 'x').isWellFormed()).toBe(true)
})
