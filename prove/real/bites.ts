import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { PartResult } from '../part.ts'
import { type Planted, planted, withFault } from '../plant.ts'

/** A bug of the program, and the faults with real processes each of which must find it. */
export interface Bite {
  bug: Planted
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
]

export interface BiteOptions {
  /** Only these faults; undefined for all. */
  only?: readonly string[]
  /** Most rounds in which a bug may be found. */
  rounds: number
  seed: number
  say: (text: string) => void
}

const root = resolve(import.meta.dirname, '../..')

/** Builds the program with each bug in turn and plays the faults that must find it. One that does not is a failure. */
export async function tryBites({ only, rounds, seed, say }: BiteOptions): Promise<PartResult> {
  const copy = mkdtempSync(join(tmpdir(), 'claude-net-bites-'))
  const lines: string[] = []
  const failures: PartResult['failures'] = []
  try {
    copyCheckout(copy)
    for (const { bug, by } of bites) {
      const faults = by.filter(name => !only || only.includes(name))
      if (faults.length === 0) continue
      const path = join(copy, 'src', bug.file)
      const sound = readFileSync(path, 'utf8')
      writeFileSync(path, withFault(bug, sound))
      await run(copy, ['build.ts'])
      writeFileSync(path, sound)
      for (const fault of faults) {
        const found = await roundsToFind(fault, { rounds, seed, program: join(copy, 'dist/claude-net.mjs') })
        const line = `${fault} with ${bug.name}: ${found ? `found in round ${found.round}: ${found.what}` : 'NOT FOUND'}`
        say(line)
        lines.push(line)
        const repeat = `npm run prove -- --bites --fault ${fault} --seed ${seed} --rounds ${rounds}`
        if (!found) failures.push({ what: `${fault} does not find ${bug.name} in ${rounds} rounds`, repeat })
      }
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
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
    const output = await run(root, args, { CLAUDE_NET_PROVE_PROGRAM: program })
    const { failures, skipped = [] } = JSON.parse(output) as PartResult
    if (skipped[0]) throw new Error(`${fault} cannot be played here: ${skipped[0].why}`)
    // One that could not be played to its end has found nothing.
    const failure = failures.find(({ what }) => !what.includes('the round itself went wrong'))
    if (failure) {
      const [, first = '', dir] = /\n {2}(.*)[\s\S]* are in (\S+)/.exec(failure.what) ?? []
      // It was to fail: nobody looks into it.
      if (dir) rmSync(dir, { recursive: true, force: true })
      return { round, what: first.slice(0, 120) }
    }
  }
  return undefined
}

/** What a build needs, with the packages of this checkout. */
function copyCheckout(copy: string): void {
  const names = ['src', 'plugin', 'deploy', 'build.ts', 'console-build.ts', 'vite.config.ts', 'tsconfig.json']
  for (const name of [...names, 'package.json', 'package-lock.json', 'install.sh', 'LICENSE'])
    cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
}

/** Runs Node to its end and returns what it wrote to standard output. Throws where it wrote nothing and failed. */
async function run(cwd: string, args: string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const ended = new Promise<number | null>(done => child.on('close', done))
  const [output, said, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  if (code !== 0 && output === '') throw new Error(`${args[0]} failed: ${said.slice(-2000)}`)
  return output
}
