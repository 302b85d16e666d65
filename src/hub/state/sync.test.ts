import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { invite, send } from '../../../test/suites/journal-suite.ts'
import { tempDir } from '../../../test/support/temp.ts'
import type { Command, Entry } from './commands.ts'
import { State } from './state.ts'

/** Calls `act` before each sync of a file, in this thread or another. */
function beforeSync(act: () => void): void {
  const { fdatasyncSync, fdatasync } = fs
  fs.fdatasyncSync = handle => {
    act()
    fdatasyncSync(handle)
  }
  fs.fdatasync = ((handle, done) => {
    act()
    fdatasync(handle, done)
  }) as typeof fs.fdatasync
  syncBuiltinESMExports()
  onTestFinished(() => {
    Object.assign(fs, { fdatasyncSync, fdatasync })
    syncBuiltinESMExports()
  })
}

/** A state with ana and ben, and what makes its next entries. */
function start() {
  const file = join(tempDir('sync'), 'hub.db')
  const state = new State(file)
  onTestFinished(() => state.close())
  const next = (...commands: Command[]): Entry[] =>
    commands.map((command, n) => ({ v: 1, seq: state.applied.seq + 1 + n, time: 1, steady: 1, command }))
  state.applyBatch(next(invite('ana'), invite('ben')), fail)
  const stored = () => {
    using db = new DatabaseSync(file, { readOnly: true })
    return Number(db.prepare('select count(*) as n from message').get()!.n)
  }
  return { state, next, stored }
}

const fail = (_: unknown, error: unknown) => {
  throw error
}

test('a batch is synced after it was written to the log, and before the call returns', async () => {
  const { state, next, stored } = start()
  const found: number[] = []
  beforeSync(() => found.push(stored()))
  state.applyBatch(next(send()), fail)
  expect(found).toEqual([1])
  state.replay(next(send(), send()))
  expect(found).toEqual([1, 3])
  state.applyUnsettled(next(send()), fail)
  expect(found).toEqual([1, 3])
  await state.settle()
  expect(found).toEqual([1, 3, 4])
  state.enterEpoch('another')
  expect(found).toEqual([1, 3, 4, 4])
})

test('after a failed sync nothing is applied again or reported as a bug, and the position stays', () => {
  const { state, next } = start()
  const { position } = state
  let syncs = 0
  beforeSync(() => {
    syncs++
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', errno: -5, syscall: 'fdatasync' })
  })
  const bugs: unknown[] = []
  const apply = (entries: Entry[]) => () => state.applyBatch(entries, (_, error) => bugs.push(error))
  expect(apply(next(send()))).toThrow('EIO')
  expect([syncs, bugs]).toEqual([1, []])
  expect(state.position).toBe(position)
})

test('once a sync has failed nothing more is committed, and each attempt throws its error', async () => {
  for (const fails of ['in a note of this hub alone', 'while it settles'] as const) {
    const { state, next, stored } = start()
    let isBroken = true
    beforeSync(() => {
      if (isBroken) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
    })
    if (fails === 'while it settles') {
      state.applyUnsettled(next(send()), fail)
      await expect(state.settle()).rejects.toThrow(/EIO/)
    } else expect(() => state.enterEpoch('another')).toThrow(/EIO/)
    const before = stored()
    // A later sync that succeeds proves nothing about the data of the failed one.
    isBroken = false
    expect(() => state.applyBatch(next(send()), fail)).toThrow(/EIO/)
    expect(stored()).toBe(before)
  }
})
