import { expect, test } from 'vitest'
import { namesIn, offered } from './names.tsx'

test('names are separated by commas or white space, and each counts once', () => {
  expect(namesIn(' sean, jaz\n sean,,')).toEqual(['sean', 'jaz'])
})

test('the last name is completed, prefix matches first, without duplicates', () => {
  const known = ['chas', 'jaz', 'ovh5', 'sean', 'seanclaude']
  expect(offered('s', known)).toEqual(['sean', 'seanclaude', 'chas'])
  expect(offered('sean, j', known)).toEqual(['sean, jaz'])
  expect(offered('sean, ', known)).toEqual(['sean, chas', 'sean, jaz', 'sean, ovh5', 'sean, seanclaude'])
  expect(
    offered(
      '',
      Array.from({ length: 1000 }, (_, at) => `m${at}`),
    ),
  ).toHaveLength(20)
})
