// Writes the golden files of format version 1 anew and prints their fingerprint. See test/golden/README.md for when.
//
//   npx node test/support/make-golden.ts
import { rmSync, writeFileSync } from 'node:fs'
import type { Command, Entry } from '../../src/hub/state/commands.ts'
import { State } from '../../src/hub/state/state.ts'
import { hashJoinCode } from '../../src/protocol/join-code.ts'
import { hashToken } from '../../src/protocol/token.ts'
import { fingerprint, goldenFile, replay } from './golden.ts'

const start = Date.parse('2026-01-01T00:00:00.000Z')

/** Ids that look like real ones and never change. */
const id = (number: number) => `019b0000-0000-7000-8000-${String(number).padStart(12, '0')}`
const codeHash = (number: number) => hashJoinCode(`CODE-${number}`).toString('base64')
const tokenHash = (name: string) => hashToken(`token of ${name}`).toString('base64')
const tokenId = (name: string) => name.padEnd(8, '0')

/** Commands with the seconds that pass before each. Every type of command, every refusal, and what changes what. */
const script: [seconds: number, command: Command][] = [
  [0, { type: 'admin.token', tokenId: tokenId('admin'), tokenHash: tokenHash('admin') }],
  // Members: 1 sean, 2 seanclaude, 3 jazclaude, 4 laptop.
  [1, { type: 'member.invite', name: 'sean', kind: 'human', codeHash: codeHash(1), lifeS: 600 }],
  [1, { type: 'member.invite', name: 'seanclaude', kind: 'machine', owner: 'sean', codeHash: codeHash(2), lifeS: 600 }],
  [1, send(10, 2, ['all'], 'Anybody?')],
  [1, { type: 'member.invite', name: 'jazclaude', kind: 'machine', codeHash: codeHash(3), lifeS: 600 }],
  [1, { type: 'member.invite', name: 'laptop', kind: 'machine', codeHash: codeHash(4), lifeS: 600 }],
  [1, { type: 'member.invite', name: 'laptop', kind: 'human', codeHash: codeHash(5), lifeS: 600 }],
  [1, { type: 'member.invite', name: 'x', kind: 'machine', owner: 'seam', codeHash: codeHash(6), lifeS: 600 }],
  [1, { type: 'member.invite', name: 'x', kind: 'machine', owner: 'laptop', codeHash: codeHash(6), lifeS: 600 }],
  // Joins: good, repeated, and every way to be refused.
  [1, join('seanclaude', 2)],
  [1, join('seanclaude', 2)],
  [1, join('seanclaude', 2, 'thief')],
  [1, join('laptop', 3)],
  [1, join('jazclaude', 99)],
  [1, { ...join('jazclaude', 3), role: 'human' }],
  [1, join('jazclaude', 3)],
  [1, { ...join('sean', 1), role: 'human' }],
  [1, { ...join('laptop', 4), tokenId: tokenId('jazclaude') }],
  [600, join('laptop', 4)],
  // A member is invited again: its unused code dies, then its token.
  [1, { type: 'member.invite', name: 'laptop', kind: 'machine', owner: 'sean', codeHash: codeHash(7), lifeS: 600 }],
  [1, { type: 'member.invite', name: 'laptop', kind: 'machine', codeHash: codeHash(8), lifeS: 600 }],
  [1, join('laptop', 7)],
  [1, join('laptop', 8)],
  [1, { type: 'member.invite', name: 'laptop', kind: 'machine', codeHash: codeHash(9), lifeS: 600 }],
  [1, join('laptop', 9, 'laptop2')],
  // Sends: one, several, all, with every option; repeated, in conflict, refused.
  [1, send(1, 2, ['jazclaude'], 'The build is red.')],
  [1, send(1, 2, ['jazclaude'], 'The build is red.')],
  [1, send(1, 2, ['jazclaude'], 'The build is green.')],
  [1, send(1, 3, ['jazclaude'], 'The build is red.')],
  [1, send(2, 3, ['@SeanClaude', 'laptop', 'seanclaude'], 'Grüße, 世界 👋\n\0\u2028')],
  [1, { ...send(3, 1, ['all'], 'Lunch.'), intent: 'urgent', expiresInS: 60 }],
  [1, send(4, 4, ['all', 'sean'], 'To all, and to Sean.')],
  [1, send(5, 2, ['seanclade'], 'A typo.')],
  [1, send(5, 2, ['sean'], 'The same id, sent right.')],
  [1, send(6, 2, ['seanclaude'], 'A note to myself.')],
  // Fetched and acked: own, repeated, of others, unknown.
  [1, { type: 'inbox.fetched', by: 3, ids: [id(1), id(99)], session: 's1' }],
  [1, { type: 'inbox.fetched', by: 3, ids: [id(1)], session: 's2' }],
  [1, { type: 'inbox.ack', by: 3, ids: [id(1), id(2)] }],
  [1, { type: 'inbox.ack', by: 3, ids: [id(1)] }],
  [1, { type: 'inbox.fetched', by: 3, ids: [id(1)], session: 's3' }],
  [1, { ...send(7, 4, ['jazclaude'], 'An answer.'), replyTo: id(2) }],
  [1, { ...send(8, 4, ['jazclaude'], 'An answer to what was never mine.'), replyTo: id(1) }],
  // Time: a tick before, at and after the end; the clock steps back; one recipient had read it.
  [1, { type: 'inbox.ack', by: 2, ids: [id(3)] }],
  [1, { type: 'clock.tick' }],
  [60, { type: 'clock.tick' }],
  [-30, { ...send(9, 2, ['laptop'], 'Sent while the clock was slow.'), expiresInS: 3600 }],
  [1, { type: 'inbox.ack', by: 4, ids: [id(3)] }],
  [60, { type: 'clock.tick' }],
  // A new admin token replaces the first.
  [1, { type: 'admin.token', tokenId: tokenId('admin2'), tokenHash: tokenHash('admin2') }],
]

function join(name: string, code: number, token = name): Extract<Command, { type: 'member.join' }> {
  const role = 'machine'
  return {
    type: 'member.join',
    name,
    codeHash: codeHash(code),
    tokenId: tokenId(token),
    tokenHash: tokenHash(token),
    role,
  }
}

function send(number: number, by: number, to: string[], body: string): Extract<Command, { type: 'message.send' }> {
  return { type: 'message.send', id: id(number), by, to, body }
}

const database = goldenFile('hub-v1.db')
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
writeFileSync(goldenFile('journal-v1.jsonl'), `${lines.join('\n')}\n`)
console.log(lines.map((line, index) => `${outcomes[index]}\t${line.slice(0, 150)}`).join('\n'))
console.log(fingerprint(state.db))
state.close()
