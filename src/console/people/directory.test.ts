import { expect, test } from 'vitest'
import { type Listed, wantedMembers } from './directory.ts'

const member = (name: string, more: Partial<Listed> = {}): Listed => ({
  name,
  kind: 'machine',
  owner: null,
  aliases: [],
  online: false,
  lastSeenAt: null,
  sessions: [],
  ...more,
})
const members = [
  member('ovh5', { online: true, aliases: ['frontdoor'] }),
  member('sean', { kind: 'human', telegram: true, tokenId: null }),
  member('seanclaude', {
    owner: 'sean',
    unread: 3,
    tokenId: null,
    projects: [{ name: 'Billing', sessions: 0, lastSeenAt: null }],
  }),
  member('gitlab', { kind: 'service', tokenId: null }),
]
const groups = [{ name: 'backend', members: ['ovh5', 'seanclaude'] }]
const names = (wanted: { words?: string; kind?: string; state?: string }, mine: string[] = []) =>
  wantedMembers(members, groups, { words: '', kind: '', state: '', ...wanted }, new Set(mine)).map(({ name }) => name)

test('the reader and its machines come first, all others by name', () => {
  expect(names({})).toEqual(['gitlab', 'ovh5', 'sean', 'seanclaude'])
  expect(names({}, ['seanclaude', 'sean'])).toEqual(['sean', 'seanclaude', 'gitlab', 'ovh5'])
})

test('each word is searched in names, aliases, owners, projects and groups', () => {
  expect(names({ words: 'sean' })).toEqual(['sean', 'seanclaude'])
  expect(names({ words: 'FRONT' })).toEqual(['ovh5'])
  expect(names({ words: 'billing' })).toEqual(['seanclaude'])
  expect(names({ words: 'backend' })).toEqual(['ovh5', 'seanclaude'])
  expect(names({ words: 'backend, sean' })).toEqual(['seanclaude'])
  expect(names({ words: 'nobody' })).toEqual([])
})

test('the list can be filtered by kind and state', () => {
  expect(names({ kind: 'human' })).toEqual(['sean'])
  expect(names({ state: 'online' })).toEqual(['ovh5'])
  expect(names({ state: 'unread' })).toEqual(['seanclaude'])
  // A human on Telegram and a service need no token; nothing is known about ovh5.
  expect(names({ state: 'out' })).toEqual(['seanclaude'])
})
