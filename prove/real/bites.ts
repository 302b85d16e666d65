import { rmSync } from 'node:fs'
import { resolve } from 'node:path'
import type { PartResult } from '../part.ts'
import { type Planted, planted } from '../plant.ts'
import { runNode, Variant } from './variant.ts'

/** A bug of the program, and the faults with real processes that must each find it. */
export interface Bite {
  bug: Planted
  /** Changes in other files that belong to the bug. */
  with?: readonly Planted[]
  by: readonly string[]
}

const known = (name: string) => planted.find(each => each.name === name)!

const answeredThoughFailed: Planted = {
  name: 'answered-though-failed',
  breaks: 'what was answered as done is on disk, also when the disk fails',
  file: 'hub/journal/local.ts',
  changes: [
    [
      'rejectAll(batch, refusal)\n    this.#applier.storageFailed',
      `batch.forEach(({ command, resolve, reject }) =>
      command.type === 'inbox.ack'
        ? resolve({ ok: true, result: { acked: command.ids, unknown: [], unread: 0 } } as never)
        : reject(refusal),
    )
    this.#applier.storageFailed`,
    ],
  ],
}

export const bites: readonly Bite[] = [
  { bug: known('cursor-goes-back'), by: ['restart-streams'] },
  { bug: known('not-synced'), by: ['power-loss'] },
  { bug: known('repeat-has-another-seq'), by: ['kill-hub', 'kill-under-load', 'pause-hub', 'partition', 'half-open'] },
  { bug: known('outbox-overtakes'), by: ['kill-clients'] },
  { bug: known('ack-on-read'), by: ['killed-before-shown'] },
  { bug: answeredThoughFailed, by: ['full-disk', 'read-only-disk', 'disk-error'] },
  {
    bug: {
      name: 'damage-not-told',
      breaks: 'a text that the disk has damaged is not shown',
      file: 'hub/state/query/inbox.ts',
      changes: [['if (body && !isIntact(row))', 'if (body && !isIntact(row) && body.length < 0)']],
    },
    by: ['bit-flips'],
  },
  {
    bug: {
      name: 'ordered-by-the-wall-clock',
      breaks: 'a clock that is set changes no order',
      file: 'hub/state/query/inbox.ts',
      changes: [
        [
          'join message m on m.seq = u.seq join member s on s.id = d.sender order by u.seq`',
          'join message m on m.seq = u.seq join member s on s.id = d.sender order by m.sent_at, u.seq`',
        ],
      ],
    },
    by: ['clock-jumps'],
  },
  { bug: known('one-is-woken'), by: ['slow-clients'] },
  {
    bug: {
      name: 'some-are-woken',
      breaks: 'each follower is notified, however many there are',
      file: 'hub/push/wakes.ts',
      changes: [
        [
          'for (const subscription of subscriptions) subscription.push(news)',
          'for (const subscription of [...subscriptions].slice(0, 4096)) subscription.push(news)',
        ],
      ],
    },
    by: ['many-connections'],
  },
  {
    bug: {
      name: 'no-lock',
      breaks: 'one hub at most runs on a data directory',
      file: 'hub/lock.ts',
      changes: [["lock.exec('pragma locking_mode = exclusive; begin exclusive')", 'void lock']],
    },
    with: [
      {
        name: 'no-lock',
        breaks: 'one hub at most writes the index for searches',
        file: 'hub/state/store/open-sqlite.ts',
        changes: [
          [
            "function makeIndex(sqlite: DatabaseSync): void {\n  set(sqlite, 'locking_mode', 'exclusive')",
            'function makeIndex(sqlite: DatabaseSync): void {',
          ],
        ],
      },
    ],
    by: ['two-hubs'],
  },
]

export interface BiteOptions {
  /** Names of the faults; undefined for all. */
  only?: readonly string[]
  /** Maximum number of rounds in which a bug must be found. */
  rounds: number
  seed: number
  say: (text: string) => void
}

const root = resolve(import.meta.dirname, '../..')

/** Builds the program with each bug in turn and plays the faults that must find it. A bug that is not found is a failure. */
export async function tryBites({ only, rounds, seed, say }: BiteOptions): Promise<PartResult> {
  using variant = new Variant()
  const lines: string[] = []
  const failures: PartResult['failures'] = []
  for (const { bug, with: more = [], by } of bites) {
    const faults = by.filter(name => !only || only.includes(name))
    if (faults.length === 0) continue
    await variant.build([bug, ...more])
    for (const fault of faults) {
      const found = await roundsToFind(fault, { rounds, seed, program: variant.program })
      const line = `${fault} with ${bug.name}: ${found ? `found in round ${found.round}: ${found.what}` : 'NOT FOUND'}`
      say(line)
      lines.push(line)
      const repeat = `npm run prove -- --bites --fault ${fault} --seed ${seed} --rounds ${rounds}`
      if (!found) failures.push({ what: `${fault} does not find ${bug.name} in ${rounds} rounds`, repeat })
    }
  }
  const found = lines.length - failures.length
  return {
    name: 'bites',
    summary: `${found} of ${lines.length} bugs were found by the faults that have to find them:\n  ${lines.join('\n  ')}`,
    rows: [],
    failures,
    figures: { tried: lines.length, found },
  }
}

async function roundsToFind(
  fault: string,
  { rounds, seed, program }: { rounds: number; seed: number; program: string },
): Promise<{ round: number; what: string } | undefined> {
  for (let round = 1; round <= rounds; round++) {
    const args = ['prove/main.ts', '--fault', fault, '--rounds', '1', '--seed', String(seed + round - 1), '--json']
    const output = await runNode(root, args, { CLAUDE_NET_PROVE_PROGRAM: program })
    const { failures, skipped = [] } = JSON.parse(output) as PartResult
    if (skipped[0]) throw new Error(`${fault} cannot be played here: ${skipped[0].why}`)
    // A round that failed by itself has found nothing.
    const failure = failures.find(({ what }) => !what.includes('the round itself went wrong'))
    if (failure) {
      const [, first = '', dir] = /\n {2}(.*)[\s\S]* are in (\S+)/.exec(failure.what) ?? []
      // The failure was expected, so its files are not needed.
      if (dir) rmSync(dir, { recursive: true, force: true })
      return { round, what: first.slice(0, 120) }
    }
  }
  return undefined
}
