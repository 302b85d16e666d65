import { expect, test } from 'vitest'
import { MemoryBoard } from '../../../test/support/memory-board.ts'
import { TokenUses } from '../push/token-uses.ts'
import { putTokenUses, receiveTokenUses } from './shared-token-uses.ts'

test('the last use of a token is known at each hub, is published only by the hub that saw it, and is never in the future', () => {
  const shared = new MemoryBoard()
  let now = 1000
  const [one, two] = ['one', 'two'].map(name => {
    const [board, uses] = [shared.connect(name), new TokenUses(() => now)]
    receiveTokenUses(board, uses, () => now)
    return { uses, put: () => putTokenUses(board, uses, uses.takeUnsaved()) }
  }) as [{ uses: TokenUses; put: () => void }, { uses: TokenUses; put: () => void }]
  one.uses.saw('abc')
  one.put()
  expect(two.uses.of('abc')).toBe(1000)
  two.put()
  expect(shared.values.has('two/token-uses')).toBe(false)
  now = 2000
  two.uses.saw('abc')
  two.put()
  expect(one.uses.of('abc')).toBe(2000)
  const odd = [null, 7, ['x'], ['x', 'now'], ['a b', 1], ['far', 1e15], ['old', -1]]
  for (const value of ['', '{}', JSON.stringify(odd)]) shared.set('three/token-uses', value)
  expect(['x', 'a b', 'old', 'far'].map(id => one.uses.of(id))).toEqual([undefined, undefined, undefined, 2000])
})
