import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitText } from './split.ts'

test('a text is split after a paragraph if possible, else after a line, a sentence or a word', () => {
  const fill = (n: number) => 'x'.repeat(n)
  for (const [seam, worse] of [
    ['\n\n', '\n'],
    ['\n', '. '],
    ['. ', ' '],
  ] as const) {
    const text = `${fill(60)}${seam}${fill(10)}${worse}${fill(80)}`
    expect(splitText(text, 100)[0]).toBe(`${fill(60)}${seam}`)
  }
  // A boundary that would leave most of the part empty is not used.
  expect(splitText(`${fill(10)}\n\n${fill(200)}`, 100)[0]).toHaveLength(100)
})

test('the parts fit, join to the text, and split no character', () => {
  const piece = fc.constantFrom('a', ' ', '\n', '. ', '👨‍👩‍👧‍👦', 'e\u0301', '🇩🇪', '构', '&', '\u0301')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 400 }), fc.integer({ min: 60, max: 120 }), (pieces, max) => {
      const text = pieces.join('')
      const parts = splitText(text, max)
      expect(parts.join('')).toBe(text)
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(max)
        expect(part.isWellFormed()).toBe(true)
      }
      const whole = [...new Intl.Segmenter().segment(text)].map(({ index }) => index)
      let at = 0
      for (const part of parts.slice(0, -1)) {
        at += part.length
        // Unless one character alone is longer than half a part.
        if (!/\u0301{20,}/.test(text)) expect(whole).toContain(at)
      }
    }),
  )
})
