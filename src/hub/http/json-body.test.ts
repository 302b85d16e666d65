import { expect, test } from 'vitest'
import { isDeeper, maxRequestBytes, readJson } from './json-body.ts'

test.each([
  ['1', 0],
  ['"[[[["', 0],
  ['[]', 1],
  ['[[],[],[]]', 2],
  ['{"a":[{"b":1}],"c":{}}', 3],
  ['[1,{"c":{"d":null}},[]]', 3],
])('%s has %i levels', (json, levels) => {
  const value = JSON.parse(json)
  expect(isDeeper(value, levels)).toBe(false)
  expect(levels > 0 && isDeeper(value, levels - 1)).toBe(levels > 0)
})

test.each([
  ['arrays', '[', ']'],
  ['objects', '{"a":', '}'],
])('%s nested as deeply as a request has room for are refused without a stack overflow', (_, open, close) => {
  const levels = Math.floor(maxRequestBytes / (open.length + close.length)) - 1
  const body = Buffer.from(`${open.repeat(levels)}1${close.repeat(levels)}`)
  expect(() => readJson(body)).toThrow('it is nested more than 64 levels deep')
  expect(() => readJson(body.subarray(0, -1))).toThrow('body: ')
})
