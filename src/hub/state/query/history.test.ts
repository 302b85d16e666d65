import { expect, test, vi } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { historyOf } from './history.ts'

const all = { before: Number.MAX_SAFE_INTEGER, limit: 10 }

/** A state whose indexes cannot be brought nearer, for the error of SQLite with this code. */
function start(errcode: number) {
  const made = new TestState()
  const [ana, ben] = [made.member('ana'), made.member('ben')]
  made.member('cat')
  const indexed = made.send(ana, 'ben')
  historyOf(made.state.db, ana, all)
  const ids = [indexed, made.send(ana, 'ben'), made.send(ana, 'cat'), made.send(ben, 'ana')]
  vi.spyOn(made.state.db, 'transaction').mockImplementation(() => {
    throw Object.assign(new Error('no'), { code: 'ERR_SQLITE_ERROR', errcode })
  })
  return { db: made.state.db, ana, ben, ids }
}

test('on a full disk history is read all the same, with what its sender sent since the index stopped', () => {
  const { db, ana, ben, ids } = start(13)
  const [indexed, toBen, toCat, fromBen] = ids
  expect(historyOf(db, ana, all)).toEqual([fromBen, toCat, toBen, indexed])
  expect(historyOf(db, ana, { ...all, limit: 2 })).toEqual([fromBen, toCat])
  expect(historyOf(db, ana, { ...all, with: ben })).toEqual([fromBen, toBen, indexed])
  // Words are found as far as they are indexed.
  expect(historyOf(db, ana, { ...all, q: 'hello' })).toEqual([indexed])
})

test('another error of the disk is not passed over', () => {
  const { db, ana } = start(10)
  expect(() => historyOf(db, ana, all)).toThrow('no')
})
