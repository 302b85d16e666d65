import { expect, test } from 'vitest'
import type { StatusAnswer } from '../../protocol/status.ts'
import { problemsOf } from './problems.ts'

const now = Date.parse('2026-11-27T12:00:00.000Z')
const ago = (ms: number) => new Date(now - ms).toISOString()
const hour = 3_600_000

const well: StatusAnswer = {
  version: '1.0.0',
  hubKey: `sha256//${'A'.repeat(43)}=`,
  startedAt: ago(100 * hour),
  ready: true,
  notReady: null,
  store: { schema: 21, epoch: 'e', seq: 1, bytes: 1, freeBytes: 80e9 },
  clock: null,
  load: null,
  lastBackup: { at: ago(20 * hour), bytes: 1 },
  tail: null,
  hubs: null,
  telegram: null,
  members: { machines: 1, onlineMachines: 1, humans: 1, onlineHumans: 0, services: 0 },
  behind: [],
  plain: { from: 'allow', members: [{ name: 'local', lastAt: ago(hour), isRemote: false }] },
  unread: 0,
  oldestUnreadAt: null,
  inboxes: [],
  nearBounds: [],
  moreInboxes: 0,
}
const idle = {
  commitMs: { p50: 1, p99: 8, max: 40 },
  loopMs: null,
  streams: 3,
  connections: { known: 3, strangers: 0 },
  unreadAnswerBytes: 0,
}
const found = (more: Partial<StatusAnswer>) => problemsOf({ ...well, ...more }, now).map(({ found }) => found)

test('a hub that does not respond, or cannot write, is reported', () => {
  const hub = { url: null, ssh: null, hubKey: null, version: '1.0.0', entryVersion: 3, isLive: true }
  const [h0, h1] = [
    { ...hub, name: 'h0', self: true },
    { ...hub, name: 'h1', self: false },
  ]
  expect(found({ hubs: { hubs: [h0, h1], rules: 3 } })).toEqual([])
  expect(
    found({
      hubs: {
        hubs: [
          { ...h0, apart: 'It takes nothing.' },
          { ...h1, isLive: false },
        ],
        rules: 3,
      },
    }),
  ).toEqual(['h0: It takes nothing.', expect.stringMatching(/^h1 is offline.*hubs forget h1$/)])
})

test('a healthy hub has no problems', () => {
  expect(found({})).toEqual([])
  expect(found({ load: idle })).toEqual([])
  // A new hub has not made its first backup.
  expect(found({ lastBackup: null, startedAt: ago(hour) })).toEqual([])
})

test.each<[string, Partial<StatusAnswer>, string]>([
  [
    'a store that refuses',
    { ready: false, notReady: 'The disk is full.' },
    'The store accepts no messages: The disk is full.',
  ],
  [
    'little free space',
    { store: { ...well.store, freeBytes: 900e6 } },
    'Only 900 MB are free on the disk of the store.',
  ],
  ['no backup', { lastBackup: null }, 'There is no backup.'],
  ['an old backup', { lastBackup: { at: ago(72 * hour), bytes: 1 } }, 'The last backup was made 3 days ago.'],
  [
    'a tail that is not written',
    { tail: { seq: null, behind: 3, behindMs: 99_000, file: null, bytes: 0, trouble: 'The disk is gone.' } },
    'The tail of the backups is not written: The disk is gone.',
  ],
  [
    'a slow disk',
    { load: { ...idle, commitMs: { p50: 4, p99: 900.4, max: 2000 } } },
    'The disk of the store is slow: one batch in a hundred takes 900 ms or more.',
  ],
  [
    'a late hub',
    { load: { ...idle, loopMs: { p50: 1, p99: 400, max: 900 } } },
    'The hub’s event loop is sometimes delayed by 400 ms.',
  ],
  ['no key', { hubKey: null }, 'The hub has no key, so it does not serve TLS.'],
  [
    'machines without TLS',
    { plain: { from: 'allow', members: [{ name: 'far', lastAt: ago(1), isRemote: true }] } },
    'far connected without TLS from other hosts.',
  ],
  [
    'a full inbox',
    { nearBounds: [{ bound: 'inbox', name: 'slow', percent: 100 }] },
    'The inbox of slow is 100 % full.',
  ],
  [
    'a budget',
    { nearBounds: [{ bound: 'daily', name: 'busy', percent: 91 }] },
    'busy has used 91 % of its daily limit.',
  ],
  [
    'old clients',
    { behind: [{ name: 'old', clients: ['claude-net/0.1.0'] }] },
    '1 member runs an older client than the hub: old.',
  ],
])('%s is reported', (_, more, words) => {
  expect(found(more)).toEqual([words])
})

test('the worst problem comes first', () => {
  const all = problemsOf({ ...well, behind: [{ name: 'old', clients: [] }], ready: false, notReady: 'Full.' }, now)
  expect(all.map(({ tone }) => tone)).toEqual(['bad', 'warn'])
})
