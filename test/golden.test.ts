import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { unreadAfter, unreadCount } from '../src/hub/state/query/inbox.ts'
import { State } from '../src/hub/state/state.ts'
import { fingerprint, goldenFile, outcomeCode, readGoldenJournal, replay } from './support/golden.ts'
import { tempDir } from './support/temp.ts'

/**
 * Each golden pair with the fingerprint of the state that its journal produces under the current schema (read test/golden/README.md before
 * you change one), and its commands: those new in its version, and some others.
 */
const pairs = [
  {
    version: 1,
    known: '1b124039caba3c831a11dbf043ffa967925095022aae5d3be98c862e7b5d9f49',
    chain: 'BM3eStt2TiCtg3QEwHdnsdqBZd7BC4rxJiX9QjhvQOM=',
    commands: [
      'admin.token',
      'clock.tick',
      'inbox.ack',
      'inbox.fetched',
      'member.invite',
      'member.join',
      'message.send',
    ],
  },
  {
    version: 2,
    known: '35d5e0e8f97b83cc92d8f72f6ce4942df1cf473a67b03a46ec81f768057a205d',
    chain: 'dmXws+RSYfrsf4Zs6beYtW20IWeVPVkfoy7zKPp+Lok=',
    commands: [
      'admin.token',
      'alias.remove',
      'alias.set',
      'clock.tick',
      'group.remove',
      'group.set',
      'inbox.ack',
      'inbox.fetched',
      'member.add',
      'member.delete',
      'member.invite',
      'member.join',
      'member.own',
      'member.policy',
      'member.rename',
      'member.revoke',
      'message.send',
      'organization.import',
      'pair.brake',
      'settings.set',
    ],
  },
]

function freshState(): State {
  const state = new State(join(tempDir('golden'), 'hub.db'))
  onTestFinished(() => state.close())
  return state
}

/** Opens a copy of the old database, which upgrades it if necessary. */
function openOldDatabase(version: number): State {
  const path = join(tempDir('golden'), 'hub.db')
  copyFileSync(goldenFile(`hub-v${version}.db`), path)
  const state = new State(path)
  onTestFinished(() => state.close())
  return state
}

describe.each(pairs)('version $version', ({ version, known, chain, commands }) => {
  const journal = readGoldenJournal(`journal-v${version}.jsonl`)

  test('every entry of the old journal has the same outcome as then', () => {
    expect(replay(freshState(), journal)).toEqual(journal.map(({ outcome }) => outcome))
  })

  test('the old journal produces the same state as ever', () => {
    const state = freshState()
    replay(state, journal)
    expect(fingerprint(state.db)).toBe(known)
    expect(state.position.seq).toBe(journal.at(-1)!.seq)
    // Hubs of this version and of the previous one compare this value in each record, so it must not change with the schema.
    expect(state.position.outcomes).toBe(chain)
  })

  test('replayed in one batch it produces the same state as entry by entry', () => {
    const state = freshState()
    const outcomes = state.applyBatch(journal, (_, error) => {
      throw error
    })
    expect(outcomes.map(outcomeCode)).toEqual(journal.map(({ outcome }) => outcome))
    expect(fingerprint(state.db)).toBe(known)
  })

  test('the old database, opened by this program, has the same state', () => {
    const state = openOldDatabase(version)
    expect(fingerprint(state.db)).toBe(known)
    expect(state.position).toMatchObject({ epoch: 'golden', seq: journal.at(-1)!.seq })
  })

  test('the old database can be continued: old ids are bound, counts match the inboxes, new messages are stored', () => {
    const state = openOldDatabase(version)
    const stored = state.db.get<{ id: string; seq: number }>('select id, seq from message order by seq limit 1')!
    const sent = journal.find(({ seq }) => seq === stored.seq)!
    const { seq } = state.position
    const next = [
      { ...sent, seq: seq + 1 },
      { ...sent, seq: seq + 2, command: { ...sent.command, id: '019b0000-0000-7000-8000-00000000ffff' } },
    ] as typeof journal
    expect(state.applyBatch(next, () => {})).toMatchObject([
      { ok: true, result: { seq: sent.seq, repeated: true } },
      { ok: true, result: { seq: seq + 2, repeated: false } },
    ])
    const members = state.db.all<{ id: number }>('select id from member order by id').map(({ id }) => id)
    expect(members.map(id => unreadAfter(state.db, id, 0, 100).length)).toEqual(
      members.map(id => unreadCount(state.db, id)),
    )
  })

  test('every command type of its version is in the old journal and succeeds at least once', () => {
    const carriedOut = new Set(journal.filter(({ outcome }) => outcome === 'ok').map(({ command }) => command.type))
    // A newer command belongs in a newer file.
    expect([...carriedOut].sort()).toEqual(commands)
  })
})
