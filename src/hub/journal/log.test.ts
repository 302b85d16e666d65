import { expect, test } from 'vitest'
import { packBytes, readPack } from './log.ts'

const pack = { v: 1, time: 1, steady: 1, commands: [{ type: 'clock.tick' as const }] }

test('readPack returns what packBytes encoded', () => {
  expect(readPack(packBytes(pack))).toEqual(pack)
})

test.for<[string, unknown]>([
  ['null', null],
  ['a text', 'pack'],
  ['no commands', { ...pack, commands: [] }],
  ['a command without a type', { ...pack, commands: [{}] }],
  ['no time', { ...pack, time: undefined }],
  ['a time that is a string', { ...pack, steady: '1' }],
  ['rules that are a string', { ...pack, rules: 'new' }],
  ['indexes of failures that are no list', { ...pack, failed: 1 }],
  ['a mark that is null', { ...pack, after: null }],
])('readPack throws for %s', ([, record]) => {
  expect(() => readPack(Buffer.from(JSON.stringify(record)))).toThrow('a record that is not a pack')
})
