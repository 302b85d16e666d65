import { expect, test } from 'vitest'
import { MemoryBoard } from '../../../test/support/memory-board.ts'
import { maxValueBytes } from './board.ts'

test('each hub sees the newest values of the other hubs until those close, and none of its own', async () => {
  const shared = new MemoryBoard()
  const [one, two] = [shared.connect('one'), shared.connect('two')]
  const changes: unknown[] = []
  two.onChange((...change) => changes.push(change))
  one.put('state', 'a')
  one.put('state', 'a')
  one.put('state', 'b')
  two.put('state', 'c')
  expect(changes).toEqual([
    ['one', 'state', 'a'],
    ['one', 'state', 'b'],
  ])
  expect([...two.peers.get('one')!]).toEqual([['state', 'b']])
  expect([...shared.connect('three').peers.keys()]).toEqual(['one', 'two'])
  await one.close()
  expect(changes.at(-1)).toEqual(['one', 'state', undefined])
  expect(two.peers.has('one')).toBe(false)
})

test('malformed keys, values that are too large, and hubs or topics above the limit are ignored', () => {
  const shared = new MemoryBoard()
  const board = shared.connect('one')
  const tooLarge = 'ä'.repeat(maxValueBytes / 2 + 1)
  for (const key of ['', 'two', '/state', 'two/', 'Two/state', '../state', 'two/state/x', `two/${'s'.repeat(33)}`])
    shared.set(key, 'x')
  shared.set('two/state', tooLarge)
  expect(board.peers.size).toBe(0)
  shared.set('two/state', 'x')
  shared.set('two/state', tooLarge)
  expect(board.peers.size).toBe(0)
  for (let hub = 0; hub < 100; hub++) for (let topic = 0; topic < 100; topic++) shared.set(`h${hub}/t/${topic}`, 'x')
  expect([board.peers.size, board.peers.get('h0')!.size]).toEqual([64, 64])
  const two = shared.connect('two')
  two.put('presence', tooLarge)
  expect(shared.values.get('two/presence')).toBeUndefined()
})
