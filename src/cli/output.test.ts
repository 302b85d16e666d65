import { expect, test } from 'vitest'
import { table } from './output.ts'

const rows = [
  ['NAME', 'KIND', 'OWNER'],
  ['seanclaude', 'machine', 'sean'],
  ['sean', 'human', ''],
]

test('a table has columns where they fit', () => {
  expect(table(rows, 60)).toBe('NAME        KIND     OWNER\nseanclaude  machine  sean\nsean        human')
  expect(table(rows, Infinity)).toBe(table(rows, 60))
})

test('on a terminal that is too narrow each row is a paragraph, without what is empty', () => {
  expect(table(rows, 20)).toBe('seanclaude\n  kind   machine\n  owner  sean\nsean\n  kind   human')
})
