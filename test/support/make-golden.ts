// Writes the golden files of format version 2 and prints their fingerprint. test/golden/README.md says when to run it.
//
//   npx node test/support/make-golden.ts
import { rmSync, writeFileSync } from 'node:fs'
import type { Command, Entry } from '../../src/hub/state/commands.ts'
import { State } from '../../src/hub/state/state.ts'
import { hashJoinCode } from '../../src/protocol/join-code.ts'
import { hashToken } from '../../src/protocol/token.ts'
import { fingerprint, goldenFile, replay } from './golden.ts'

const start = Date.parse('2026-11-01T00:00:00.000Z')
const dayS = 86_400

/** Ids that look like real ones and never change. */
const id = (number: number) => `019c0000-0000-7000-8000-${String(number).padStart(12, '0')}`
const codeHash = (number: number) => hashJoinCode(`CODE-${number}`).toString('base64')
const tokenHash = (name: string) => hashToken(`token of ${name}`).toString('base64')
const tokenId = (name: string) => name.padEnd(8, '0')

/**
 * Commands, each with the seconds since the previous one: those added after version 1, with every refusal they can cause, and older ones
 * that interact with them.
 */
const script: [seconds: number, command: Command][] = [
  [0, { type: 'admin.token', tokenId: tokenId('admin'), tokenHash: tokenHash('admin') }],
  // Members: 1 sean, 2 seanclaude, 3 jazclaude, 4 laptop.
  [1, { type: 'member.add', name: 'sean', kind: 'human' }],
  [1, { type: 'member.add', name: 'seanclaude', kind: 'machine', owner: 'sean' }],
  [1, { type: 'member.add', name: 'jazclaude', kind: 'machine' }],
  [1, { type: 'member.invite', name: 'laptop', kind: 'machine', codeHash: codeHash(1), lifeS: 600 }],
  [1, { type: 'member.add', name: 'sean', kind: 'machine' }],
  [1, { type: 'member.add', name: 'x', kind: 'machine', owner: 'nobody' }],
  [1, { type: 'member.own', name: 'jazclaude', owner: 'sean' }],
  [1, { type: 'member.own', name: 'jazclaude', owner: null }],
  [1, { type: 'member.own', name: 'jazclaude', owner: 'laptop' }],
  [1, { type: 'member.own', name: 'nobody', owner: 'sean' }],
  // Names: aliases and groups share one namespace with members.
  [1, { type: 'alias.set', alias: 'jaz', member: 'jazclaude' }],
  [1, { type: 'alias.set', alias: 'jaz', member: 'laptop' }],
  [1, { type: 'alias.set', alias: 'sean', member: 'laptop' }],
  [1, { type: 'alias.set', alias: 'old', member: 'laptop' }],
  [1, { type: 'alias.set', alias: 'x', member: 'nobody' }],
  [1, { type: 'alias.remove', alias: 'old' }],
  [1, { type: 'alias.remove', alias: 'old' }],
  [1, { type: 'alias.set', alias: 'jaz', member: 'jazclaude' }],
  [1, { type: 'group.set', group: 'desk', members: ['seanclaude', 'jaz'] }],
  [1, { type: 'group.set', group: 'gone', members: ['laptop'] }],
  [1, { type: 'group.set', group: 'jaz', members: [] }],
  [1, { type: 'group.set', group: 'x', members: ['nobody'] }],
  [1, { type: 'group.remove', group: 'gone' }],
  [1, { type: 'group.remove', group: 'gone' }],
  // A rotated token stays valid for a while; a revoked one does not.
  [1, join('laptop', 1)],
  [1, { type: 'member.invite', name: 'laptop', kind: 'machine', codeHash: codeHash(2), lifeS: 600, overlapS: 60 }],
  [1, join('laptop', 2, 'laptop2')],
  [61, { type: 'clock.tick' }],
  [1, { type: 'member.invite', name: 'jazclaude', kind: 'machine', codeHash: codeHash(3), lifeS: 600 }],
  [1, join('jazclaude', 3)],
  [1, { type: 'member.revoke', name: 'jazclaude' }],
  [1, { type: 'member.revoke', name: 'nobody' }],
  // Policies: messages are held, muted, refused.
  [1, { type: 'member.policy', by: 3, inbound: 'hold' }],
  [1, { type: 'member.policy', by: 2, mute: ['laptop'] }],
  [1, { type: 'member.policy', by: 2, mute: ['nobody'] }],
  [1, { type: 'member.policy', by: 4, inbound: 'refuse' }],
  [1, send(1, 4, ['desk'], 'To a group: held by one, mute at the other.')],
  [1, send(2, 2, ['laptop'], 'Refused.')],
  [1, send(3, 2, ['laptop', 'jaz'], 'Refused by one, held by the other.')],
  [1, { type: 'member.policy', by: 4, inbound: 'accept' }],
  [1, { type: 'inbox.fetched', by: 3, ids: [id(1)], session: 's1' }],
  [1, { type: 'inbox.ack', by: 3, ids: [id(1), id(3)] }],
  [1, { type: 'inbox.ack', by: 2, ids: [id(1)] }],
  // After a rename, messages stay; after a deletion, the member's unread messages expire.
  [1, { type: 'member.rename', name: 'laptop', to: 'desk' }],
  [1, { type: 'member.rename', name: 'laptop', to: 'laptop-desk' }],
  [1, { type: 'member.rename', name: 'nobody', to: 'x' }],
  [1, send(4, 2, ['laptop-desk'], 'To its new name.')],
  [1, { type: 'member.add', name: 'short', kind: 'machine' }],
  [1, { ...send(5, 2, ['short'], 'Never read.'), expiresInS: 100 * dayS }],
  [1, { type: 'member.delete', name: 'short' }],
  [1, { type: 'member.delete', name: 'short' }],
  [1, send(6, 2, ['laptop-desk'], 'Unread for long.')],
  // Retention: texts are deleted after the configured days, records after a year; unread messages stay.
  [1, { type: 'settings.set', keepTextDays: 7 }],
  [1, { type: 'settings.set' }],
  [3 * dayS, { type: 'inbox.ack', by: 4, ids: [id(4)] }],
  [5 * dayS, { type: 'clock.tick' }],
  [1, send(1, 4, ['desk'], 'To a group: held by one, mute at the other.')],
  [1, send(1, 4, ['desk'], '')],
  [3 * dayS, { type: 'clock.tick' }],
  [1, { type: 'settings.set', keepTextDays: 60 }],
  [356 * dayS, { type: 'clock.tick' }],
  [1, send(1, 4, ['seanclaude'], 'The id is free again.')],
  [1, { type: 'inbox.ack', by: 4, ids: [id(6)] }],
  [-30 * dayS, send(7, 2, ['laptop-desk'], 'Sent while the clock was slow.')],
  [40 * dayS, { type: 'clock.tick' }],
  // The final state has both: a message with its text, and a record without.
  [1, { type: 'settings.set', keepTextDays: 7 }],
  [1, { type: 'clock.tick' }],
  // An organization is imported in one command, and a brake stops two members that send in circles.
  [
    1,
    {
      type: 'organization.import',
      members: [{ name: 'desktop', kind: 'machine', owner: 'sean' }],
      aliases: [{ alias: 'big', member: 'desktop' }],
      groups: [{ group: 'all-desks', members: ['big', 'seanclaude'] }],
    },
  ],
  [
    1,
    {
      type: 'pair.brake',
      from: 2,
      to: 4,
      until: start + 500 * dayS * 1000,
      why: 'a test',
      notice: { id: id(8), body: 'Wait.' },
    },
  ],
  [1, send(9, 2, ['laptop-desk'], 'Held up by the brake.')],
]

function join(name: string, code: number, token = name): Extract<Command, { type: 'member.join' }> {
  return {
    type: 'member.join',
    name,
    codeHash: codeHash(code),
    tokenId: tokenId(token),
    tokenHash: tokenHash(token),
    role: 'machine',
  }
}

function send(number: number, by: number, to: string[], body: string): Extract<Command, { type: 'message.send' }> {
  return { type: 'message.send', id: id(number), by, to, body }
}

const database = goldenFile('hub-v2.db')
for (const suffix of ['', '-wal', '-shm']) rmSync(database + suffix, { force: true })
let time = start
const entries = script.map(([seconds, command], index): Entry => {
  time += seconds * 1000
  return { seq: index + 1, time, command }
})
const state = new State(database)
const outcomes = replay(state, entries)
state.db.run(`update position set epoch = 'golden'`)
const lines = entries.map((entry, index) => JSON.stringify({ ...entry, outcome: outcomes[index] }))
writeFileSync(goldenFile('journal-v2.jsonl'), `${lines.join('\n')}\n`)
console.log(lines.map((line, index) => `${outcomes[index]}\t${line.slice(0, 150)}`).join('\n'))
console.log(fingerprint(state.db))
state.close()
