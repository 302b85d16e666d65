import { hash } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databaseFile } from '../../../src/hub/hub.ts'
import { copyStore } from '../../../src/hub/keeping/copy-store.ts'
import { type Command, entryVersion } from '../../../src/hub/state/commands.ts'
import { State } from '../../../src/hub/state/state.ts'

/** Time of the first entry, in ms since 1970. */
export const beginning = Date.parse('2026-01-01T00:00:00.000Z')

const digest = (text: string) => hash('sha256', text, 'base64')

/** Returns the id of the message with this number in the store of `SmallStore`. */
export function idOf(number: number): string {
  return `019b7000-0000-7000-8000-${String(number).padStart(12, '0')}`
}

/** The entries of its history. The members are 1 sean, 2 seanclaude and 3 chasclaude. */
export const history: readonly Command[] = [
  { type: 'member.add', name: 'sean', kind: 'human' },
  { type: 'member.add', name: 'seanclaude', kind: 'machine', owner: 'sean' },
  { type: 'member.add', name: 'chasclaude', kind: 'machine' },
  { type: 'member.invite', name: 'chasclaude', kind: 'machine', codeHash: digest('code'), lifeS: 600 },
  { type: 'message.send', id: idOf(1), by: 3, to: ['seanclaude', 'sean'], body: 'hello' },
  {
    type: 'message.send',
    id: idOf(2),
    by: 2,
    to: ['chasclaude'],
    body: 'is it red?',
    intent: 'request',
    expiresInS: 3600,
    replyTo: idOf(1),
  },
  { type: 'message.send', id: idOf(3), by: 3, to: ['seanclaude'], body: 'later', at: beginning + 3_600_000 },
  { type: 'inbox.fetched', by: 2, ids: [idOf(1)], session: 's1' },
  { type: 'inbox.told', by: 2, ids: [idOf(1)], session: 's1', how: 'hook' },
  { type: 'inbox.ack', by: 2, ids: [idOf(1)] },
  { type: 'alias.set', alias: 'chas', member: 'chasclaude' },
  { type: 'group.set', group: 'web', members: ['seanclaude', 'chasclaude'] },
  { type: 'member.policy', by: 2, inbound: 'hold', mute: ['chasclaude'] },
  { type: 'project.see', by: 2, project: 'shop' },
  { type: 'settings.set' },
]

/** A small store in one file, of which each input gets a copy. */
export class SmallStore {
  readonly dir = mkdtempSync(join(tmpdir(), 'claude-net-fuzz-store-'))
  readonly file = join(this.dir, 'small.db')
  /** Position of its newest entry. */
  readonly seq = history.length

  constructor() {
    const store = join(this.dir, databaseFile)
    const state = new State(store)
    state.enterEpoch('history')
    history.forEach((command, index) => {
      const time = beginning + index
      state.applyBatch([{ v: entryVersion, seq: index + 1, time, steady: time, command }], (_, error) => {
        throw error
      })
    })
    state.close()
    copyStore(store, this.file, () => {})
  }

  /** Copies it to `name`. */
  copy(name: string): string {
    const copy = join(this.dir, name)
    for (const suffix of ['-wal', '-shm', '-journal']) rmSync(copy + suffix, { force: true })
    copyFileSync(this.file, copy)
    return copy
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
