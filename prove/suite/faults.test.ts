import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { faults } from './faults.ts'
import { faultsOfDay, placeOf } from './run.ts'

const root = resolve(import.meta.dirname, '../..')

test('there are at least forty faults, each with a name of its own', () => {
  expect(faults.length).toBeGreaterThanOrEqual(40)
  expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length)
})

test.for(faults)('$name: the text that it replaces occurs once, and its tests exist', fault => {
  expect(placeOf(fault, readFileSync(join(root, 'src', fault.file), 'utf8'))).toBeGreaterThanOrEqual(0)
  expect(fault.put).not.toBe(fault.find)
  for (const path of fault.tests) expect(existsSync(join(root, path)), path).toBe(true)
})

test.for([
  ['once', 'a place b', 2],
  ['twice', 'place place', -1],
  ['nowhere', 'a b', -1],
] as const)('the position of a text that occurs %s is found or not', ([, text, at]) => {
  expect(placeOf({ ...faults[0]!, find: 'place' }, text)).toBe(at)
})

test('each day has two faults that unit tests find, and every one of them has its day', () => {
  const quick = faults.filter(fault => fault.quick !== undefined)
  expect(quick.length).toBeGreaterThanOrEqual(20)
  for (const { quick: file } of quick) {
    expect(file).toMatch(/^src\/.*\.test\.ts$/)
    expect(existsSync(join(root, file!)), file).toBe(true)
  }
  const days = Array.from({ length: quick.length }, (_, n) =>
    new Date(Date.UTC(2026, 10, 27 + n)).toISOString().slice(0, 10),
  )
  expect(new Set(days.flatMap(day => faultsOfDay(day)))).toEqual(new Set(quick))
  expect(faultsOfDay('2026-11-27')).toEqual(faultsOfDay('2026-11-27'))
  expect(faultsOfDay('2026-11-27')).toHaveLength(2)
  expect(() => faultsOfDay('2026-13-01')).toThrow('is not a date')
})
