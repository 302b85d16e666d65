import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { indexSome } from '../local/history-index.ts'

/** Returns a store with messages from before indexing, between two steps of it, and after it. */
function start() {
  const made = new TestState()
  const [ana, ben] = [made.member('ana'), made.member('ben')]
  made.member('cat')
  const indexed = made.send(ana, 'ben')
  indexSome(made.state.db)
  made.words.step()
  const ids = [indexed, made.send(ana, 'ben'), made.send(ana, 'cat'), made.send(ben, 'ana')]
  return { made, ana, ben, ids }
}

test('history and search include messages that are not indexed yet', () => {
  const { made, ana, ben, ids } = start()
  const [indexed, toBen, toCat, fromBen] = ids
  for (const q of [undefined, 'hello', 'hel']) {
    expect(made.history(ana, { q })).toEqual([fromBen, toCat, toBen, indexed])
    expect(made.history(ana, { q, limit: 2 })).toEqual([fromBen, toCat])
    expect(made.history(ana, { q, with: ben })).toEqual([fromBen, toBen, indexed])
    expect(made.history(ben, { q })).toEqual([fromBen, toBen, indexed])
  }
  expect(made.history(ana, { q: 'nothing' })).toEqual([])
})
