import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { invite } from '../../../../test/suites/journal-suite.ts'
import { tempDir } from '../../../../test/support/temp.ts'
import { State } from '../state.ts'

const fail = (_: unknown, error: unknown) => {
  throw error
}

test('a cursor issued while the disk was full is valid after the next start; the new epoch applies from the next commit', () => {
  const file = join(tempDir('epochs'), 'hub.db')
  const open = () => {
    const state = new State(file)
    onTestFinished(() => state.close())
    return state
  }
  const first = open()
  first.enterEpoch('first')
  first.applyBatch([{ v: 1, seq: 1, time: 1, steady: 1, command: invite('ana') }], fail)
  first.close()

  const onFullDisk = open()
  const { transaction } = onFullDisk.db
  onFullDisk.db.transaction = () => {
    throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 })
  }
  onFullDisk.enterEpoch('second')
  const cursor = { epoch: onFullDisk.position.epoch, seq: onFullDisk.position.seq }
  expect(onFullDisk.seqOf(cursor)).toBe(1)
  onFullDisk.close()

  const next = open()
  next.enterEpoch('third')
  expect(next.seqOf(cursor)).toBe(1)
  next.close()

  const withRoom = open()
  withRoom.db.transaction = onFullDisk.db.transaction
  withRoom.enterEpoch('fourth')
  withRoom.db.transaction = transaction
  expect(withRoom.position.epoch).toBe('third')
  withRoom.applyBatch([{ v: 1, seq: 2, time: 1, steady: 1, command: invite('ben') }], fail)
  expect(withRoom.position).toMatchObject({ epoch: 'fourth', seq: 2 })
  expect(withRoom.seqOf(cursor)).toBe(1)
})
