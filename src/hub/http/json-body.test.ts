import { expect, test } from 'vitest'
import { depthOf } from './json-body.ts'

test.each([
  ['', 0],
  ['1', 0],
  ['"[[[["', 0],
  ['[]', 1],
  ['[[],[],[]]', 2],
  ['{"a":[{"b":1}],"c":{}}', 3],
  ['["\\"[[[","[[\\\\",[]]', 2],
  ['["[[[[', 1],
  ['[[[[', 4],
  [']]]][', 0],
])('%s has %i levels', (json, depth) => {
  expect(depthOf(Buffer.from(json))).toBe(depth)
})
