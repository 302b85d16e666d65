import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { fingerprintOf, shapeOf } from '../src/hub/keeping/fingerprint.ts'
import { limits } from '../src/hub/state/apply/limits.ts'
import { type Command, type Entry, entryVersion } from '../src/hub/state/commands.ts'
import { indexSome } from '../src/hub/state/local/history-index.ts'
import { saveOwnAdminToken } from '../src/hub/state/local/own-admin-token.ts'
import { hubLocalTables } from '../src/hub/state/local/tables.ts'
import { saveLastSeen } from '../src/hub/state/query/members.ts'
import { State } from '../src/hub/state/state.ts'
import { invite, send } from './suites/journal-suite.ts'
import { fingerprint } from './support/golden.ts'
import { tempDir } from './support/temp.ts'

const day = 86_400_000
const start = Date.parse('2026-01-01T00:00:00.000Z')

/** A history in which the wall clock is set back by two seconds after the members were made. */
function history(): Entry[] {
  const [one, two] = [send({ body: 'one' }), send({ body: 'two' })]
  const answer = send({ by: 2, to: ['ana'], replyTo: one.id })
  const steps: [steady: number, command: Command][] = [
    [0, invite('ana')],
    [0, invite('ben')],
    [1000, one],
    [2000, answer],
    [3000, two],
    [4000, { type: 'inbox.ack', by: 1, ids: [answer.id] }],
    [40 * day, { type: 'clock.tick' }],
    [80 * day, { type: 'clock.tick' }],
  ]
  return steps.map(([at, command], index) => {
    const time = start + at - (index > 1 ? 2000 : 0)
    return { v: 1, seq: index + 1, time, steady: start + at, command }
  })
}

function emptyState(): State {
  const state = new State(join(tempDir('replay'), 'hub.db'))
  onTestFinished(() => state.close())
  return state
}

test('a history has the same rows and the same outcomes however its entries were packed, also where the clock was set', () => {
  const entries = history()
  const [apart, together] = [emptyState(), emptyState()]
  for (const entry of entries) apart.replay([entry])
  together.replay(entries)
  expect(fingerprint(together.db)).toBe(fingerprint(apart.db))
  expect(together.position.outcomes).toBe(apart.position.outcomes)
  expect(together.position.outcomes).not.toBe('')
})

test('what is each hub’s own counts in no fingerprint, and every such table exists', () => {
  const state = emptyState()
  state.replay(history())
  const backup = () => {
    using db = new DatabaseSync(state.db.get<{ file: string }>('pragma database_list')!.file, { readOnly: true })
    return fingerprintOf(db, shapeOf(db))
  }
  const before = [fingerprint(state.db), backup()]
  while (indexSome(state.db));
  state.tidy()
  saveLastSeen(state.db, new Map([[1, 5]]))
  saveOwnAdminToken(state.db, 'abcdefgh')
  state.enterEpoch('another')
  expect(state.db.get('select count(*) as n from answer')).toEqual({ n: 1 })
  expect([fingerprint(state.db), backup()]).toEqual(before)
  const tables = state.db.all<{ name: string }>(`select name from sqlite_schema where type = 'table'`)
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining([...hubLocalTables]))
  state.db.run("update member set inbound = 'hold' where id = 1")
  expect(fingerprint(state.db)).not.toBe(before[0])
  expect(backup()).not.toBe(before[1])
})

test('the numbers of entry version 1 are what they were when its entries were written', () => {
  expect(entryVersion).toBe(1)
  expect(limits).toEqual({
    expiredPerTick: 500,
    looksPerTick: 500,
    textBytesPerTick: 32_768,
    recordDays: 365,
    routeLifeMs: 2_592_000_000,
    updateLifeMs: 691_200_000,
    alwaysMessages: 100,
    alwaysBytes: 1_048_576,
    countedFromPercent: 10,
    fullRetryMs: 60_000,
    smallPart: 0.1,
  })
})
