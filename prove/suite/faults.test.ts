import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { faults } from './faults.ts'
import { placeOf } from './run.ts'

const root = resolve(import.meta.dirname, '../..')

test('there are at least forty faults, each with a name of its own', () => {
  expect(faults.length).toBeGreaterThanOrEqual(40)
  expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length)
})

test.for(faults)('$name: the text that it replaces stands there once, and its tests exist', fault => {
  expect(placeOf(fault, readFileSync(join(root, 'src', fault.file), 'utf8'))).toBeGreaterThanOrEqual(0)
  expect(fault.put).not.toBe(fault.find)
  for (const path of fault.tests) expect(existsSync(join(root, path)), path).toBe(true)
})

test.for([
  ['once', 'a place b', 2],
  ['twice', 'place place', -1],
  ['nowhere', 'a b', -1],
] as const)('a text that is there %s has a place or none', ([, text, at]) => {
  expect(placeOf({ ...faults[0]!, find: 'place' }, text)).toBe(at)
})
