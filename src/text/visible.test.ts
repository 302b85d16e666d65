import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyBody, hiddenIn, hostileBodies, ordinaryTexts, reveal } from '../../test/support/hostile-text.ts'
import { visible, visibleJson, visibleLine } from './visible.ts'

describe('ordinary text is unchanged', () => {
  test.for(Object.entries(ordinaryTexts))('%s', ([, text]) => {
    expect(visible(text)).toBe(text)
  })
})

describe('invisible and control characters are shown as escapes', () => {
  test.for(Object.entries(hostileBodies))('%s', ([, body]) => {
    expect(hiddenIn(visible(body))).toEqual([])
  })

  test.for([
    ['\u001b[31mred', '\\u{001b}[31mred'],
    ['\u009b31m', '\\u{009b}31m'],
    ['a\u202eb', 'a\\u{202e}b'],
    ['\u{e0041}', '\\u{e0041}'],
    ['x\u200dy', 'x\\u{200d}y'],
    ['👩\u200d', '👩\\u{200d}'],
    ['\u200d👩', '\\u{200d}👩'],
    ['a\ufe0f', 'a\\u{fe0f}'],
    ['❤\ufe0f\ufe0f', '❤\ufe0f\\u{fe0f}'],
    ['1\ufe0f0', '1\\u{fe0f}0'],
    ['\ud83d', '\\u{d83d}'],
    ['a\r\nb\rc', 'a\nb\nc'],
  ] as const)('%j becomes %j', ([text, shown]) => {
    expect(visible(text)).toBe(shown)
  })
})

test('in any text every hidden character is escaped, and no other is changed', () => {
  fc.assert(
    fc.property(anyBody, body => {
      const shown = visible(body)
      expect(hiddenIn(shown)).toEqual([])
      // A body may contain text that looks like an escape: reveal is applied to both sides, so that only this ambiguity is ignored.
      expect(reveal(shown)).toBe(reveal(body.replace(/\r\n?/g, '\n')))
    }),
    { numRuns: 3000 },
  )
})

test('visibleLine returns one line of at most the given number of characters', () => {
  expect(visibleLine('two\nlines\r\nand\ta tab', 100)).toBe('two lines and a tab')
  expect(visibleLine('👩👩👩👩', 3)).toBe('👩👩…')
  expect(visibleLine('👩👩👩', 3)).toBe('👩👩👩')
  fc.assert(
    fc.property(anyBody, fc.integer({ min: 1, max: 50 }), (body, max) => {
      const line = visibleLine(body, max)
      expect(line).not.toMatch(/[\n\r\t]/)
      expect([...line].length).toBeLessThanOrEqual(max)
      expect(hiddenIn(line)).toEqual([])
    }),
    { numRuns: 300 },
  )
})

test('visibleJson represents any text exactly, in one line, with hidden characters escaped', () => {
  fc.assert(
    fc.property(anyBody, body => {
      const json = visibleJson({ body })
      expect(JSON.parse(json)).toEqual({ body })
      expect(hiddenIn(json)).toEqual([])
      expect(json).not.toContain('\n')
    }),
    { numRuns: 1000 },
  )
})
