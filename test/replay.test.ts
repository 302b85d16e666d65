import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { fingerprintOf, shapeOf } from '../src/hub/keeping/fingerprint.ts'
import { limits } from '../src/hub/state/apply/limits.ts'
import { type Command, type Entry, entryVersion } from '../src/hub/state/commands.ts'
import { contentHash } from '../src/hub/state/content-hash.ts'
import { indexSome } from '../src/hub/state/local/history-index.ts'
import { saveOwnAdminToken } from '../src/hub/state/local/own-admin-token.ts'
import { saveLastSeen } from '../src/hub/state/local/seen.ts'
import { hubLocalTables, isHubLocal } from '../src/hub/state/local/tables.ts'
import { State } from '../src/hub/state/state.ts'
import { lookupForm } from '../src/protocol/names.ts'
import { invite, send } from './suites/journal-suite.ts'
import { fingerprint } from './support/golden.ts'
import { tempDir } from './support/temp.ts'

const day = 86_400_000
const start = Date.parse('2026-01-01T00:00:00.000Z')

/** Returns a history in which the wall clock is set back by two seconds after the members were created. */
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

test('a history has the same rows and outcomes however its entries were packed, even where the clock was set', () => {
  const entries = history()
  const [apart, together] = [emptyState(), emptyState()]
  for (const entry of entries) apart.replay([entry])
  together.replay(entries)
  expect(fingerprint(together.db)).toBe(fingerprint(apart.db))
  expect(together.position.outcomes).toBe(apart.position.outcomes)
  expect(together.position.outcomes).not.toBe('')
})

/** The tables of the history. They include join codes and console credentials, which a restore invalidates. */
const historyTables = [
  ...[
    'alias',
    'brake',
    'claim',
    'clock_step',
    'console_link',
    'console_session',
    'ended_token',
    'delivery',
    'group_member',
    'hub',
    'inbox_share',
    'invite',
    'kept',
    'later',
    'member',
    'member_group',
  ],
  ...[
    'message',
    'mute',
    'outgoing',
    'outgoing_event',
    'position',
    'project',
    'project_inbox',
    'retention_position',
    'rules',
    'setting',
    'telegram_choice',
    'telegram_failed',
    'telegram_follow',
  ],
  ...[
    'telegram_move',
    'telegram_mute',
    'telegram_person',
    'telegram_prompt',
    'telegram_route',
    'telegram_update',
    'token',
    'untold',
    'webhook',
    'webhook_seal',
  ],
]

/** Returns the fingerprint used by tests and that used by backups. */
function fingerprints({ db }: State): [string, string] {
  using backup = new DatabaseSync(db.get<{ file: string }>('pragma database_list')!.file, { readOnly: true })
  return [fingerprint(db), fingerprintOf(backup, shapeOf(backup))]
}

test('tables of a single hub do not affect the fingerprint, and each table of the history does', () => {
  const state = emptyState()
  const tables = state.db
    .all<{ name: string }>(
      `select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\'`,
    )
    .map(({ name }) => name)
  // A new table must be added to one of the two.
  expect([...historyTables, ...hubLocalTables].sort()).toEqual(tables.sort())
  const columns = state.db.all<{ table: string; column: string }>(
    'select t.name as "table", c.name as "column" from sqlite_schema t join pragma_table_info(t.name) c order by c.cid',
  )
  const own = columns.filter(({ table, column }) => historyTables.includes(table) && isHubLocal(table, column))
  expect(own.map(({ table, column }) => `${table}.${column}`)).toEqual(
    ['epoch', 'log_offset', 'log_hash', 'outcomes'].map(column => `position.${column}`),
  )

  state.replay(history())
  const before = fingerprints(state)
  while (indexSome(state.db));
  state.tidy()
  saveLastSeen(state.db, new Map([[1, 5]]))
  saveOwnAdminToken(state.db, 'abcdefgh')
  state.enterEpoch('another')
  expect(state.db.get('select count(*) as n from answer')).toEqual({ n: 1 })
  expect(fingerprints(state)).toEqual(before)
  for (const table of hubLocalTables) state.db.run(`delete from ${table}`)
  expect(fingerprints(state)).toEqual(before)

  state.db.execute('pragma foreign_keys = off; pragma ignore_check_constraints = on')
  for (const table of historyTables) {
    const [ours, ofBackups] = fingerprints(state)
    addRow(state, table)
    const [oursAfter, ofBackupsAfter] = fingerprints(state)
    expect(oursAfter, table).not.toBe(ours)
    if (!['invite', 'console_link', 'console_session'].includes(table))
      expect(ofBackupsAfter, table).not.toBe(ofBackups)
  }
})

/** Adds a row to a table, or replaces its only one. */
function addRow({ db }: State, table: string): void {
  const columns = db.all<{ type: string }>(`select type from pragma_table_info('${table}')`)
  const values = columns.map(({ type }) => (type === 'INTEGER' ? '1' : type === 'BLOB' ? "x'01'" : "'[]'"))
  db.run(`insert or replace into ${table} values (${values.join(', ')})`)
}

test('the limits and rules of each entry version are those from when its entries were written', () => {
  expect(entryVersion).toBe(3)
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
    countedDownToPercent: 5,
    fullRetryMs: 60_000,
    smallPart: 0.1,
    urgentDivisor: 3,
    clockStepMs: 1000,
    renewAfterPart: 0.5,
    endedPerMember: 8,
    linksPerMember: 8,
    sessionsPerMember: 16,
    laterPerSender: 100,
    laterAheadMs: 31_622_400_000,
    laterSlackMs: 5000,
    toldCharacters: 120,
    toldNames: 10,
    maxProjects: 200,
    promptLifeMs: 8 * 24 * 3600 * 1000,
    projectLifeMs: 7_776_000_000,
    sealLifeMs: 34_560_000_000,
    outgoing: 50,
    outgoingDead: 1000,
    outgoingNoted: 1000,
    outgoingOverlapMs: 24 * 3600 * 1000,
  })
  expect([' @Sean ', 'BEN', 'ana'].map(lookupForm)).toEqual(['sean', 'ben', 'ana'])
  const content = { named: '["ben"]', body: 'hello', replyTo: null, intent: null, expiresInS: 60 }
  expect(contentHash(content).toString('hex')).toBe('ab9eec6c4423e4b74c088b25ca1aca7e331a683c185d29af6ac4d68b9d524568')
})
