import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anchorAt, offsetsOf, rowAt, rowsWithin, topFor } from './offsets.ts'

const heights = [10, 30, 20, 40]
const offsets = offsetsOf(heights.length, index => heights[index]!)
const keys = ['a', 'b', 'c', 'd']

test('the row at a height is found, and those in a viewport', () => {
  expect([...offsets]).toEqual([0, 10, 40, 60, 100])
  expect([-5, 0, 9, 10, 39, 40, 99, 500].map(y => rowAt(offsets, y))).toEqual([0, 0, 0, 1, 1, 2, 3, 3])
  expect(rowsWithin(offsets, 15, 30, 0)).toEqual({ first: 1, end: 3 })
  expect(rowsWithin(offsets, 15, 30, 20)).toEqual({ first: 0, end: 4 })
})

test('a list without rows has none in sight', () => {
  const none = offsetsOf(0, () => 1)
  expect(rowAt(none, 0)).toBe(-1)
  expect(rowsWithin(none, 0, 100, 100)).toEqual({ first: 0, end: 0 })
  expect(anchorAt(none, [], 0, 100)).toEqual([])
})

test('rows that come above, go, or turn out higher do not move what is in sight', () => {
  const anchor = anchorAt(offsets, keys, 25, 30)
  expect(anchor).toEqual([
    { key: 'b', above: 15 },
    { key: 'c', above: -15 },
  ])
  const more = ['x', ...keys]
  const higher = offsetsOf(5, index => [50, 15, 30, 20, 40][index]!)
  expect(topFor(anchor, higher, key => more.indexOf(key))).toBe(80)
  const without = ['a', 'c', 'd']
  const place = (key: string) => (without.includes(key) ? without.indexOf(key) : undefined)
  expect(
    topFor(
      anchor,
      offsetsOf(3, index => [10, 20, 40][index]!),
      place,
    ),
  ).toBe(-5)
  expect(
    topFor(
      anchor,
      offsetsOf(0, () => 1),
      () => undefined,
    ),
  ).toBeUndefined()
})

test('whatever is in sight lies between the rows of the viewport', () => {
  const lists = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(lists, fc.nat(50_000), fc.integer({ min: 1, max: 2000 }), (list, top, height) => {
      const all = offsetsOf(list.length, index => list[index]!)
      const { first, end } = rowsWithin(all, top, height, 0)
      for (let index = 0; index < list.length; index++) {
        const isInSight = all[index]! <= top + height && all[index + 1]! > top
        if (isInSight) expect(index >= first && index < end).toBe(true)
      }
    }),
  )
})
