import { expect, test } from 'vitest'
import { qrPath } from './qr-path.ts'

/** Returns the dark modules that a path fills. */
function darkOf(path: string): Set<string> {
  const dark = new Set<string>()
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g))
    for (let at = 0; at < Number(width); at++) dark.add(`${Number(x) + at} ${y}`)
  return dark
}

test('a code has its three finder patterns inside a quiet zone of four modules', () => {
  const { path, size } = qrPath('HELLO')!
  expect(path).toMatch(/^(M\d+ \d+h\d+v1h-\d+z)+$/)
  const dark = darkOf(path)
  expect(size).toBe(21 + 8)
  for (const [left, top] of [
    [4, 4],
    [size - 11, 4],
    [4, size - 11],
  ] as const) {
    for (const [x, y, isDark] of [
      [0, 0, true],
      [6, 6, true],
      [1, 1, false],
      [3, 3, true],
    ] as const)
      expect(dark.has(`${left + x} ${top + y}`)).toBe(isDark)
  }
  for (const cell of dark) for (const at of cell.split(' ').map(Number)) expect(at >= 4 && at < size - 4).toBe(true)
})

test('a text that no code can hold has none', () => {
  expect(qrPath('x'.repeat(2953))).toBeDefined()
  expect(qrPath('x'.repeat(2954))).toBeUndefined()
})
