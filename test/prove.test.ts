import { spawn } from 'node:child_process'
import { globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import type { PartResult } from '../prove/part.ts'
import { planted, withFault } from '../prove/plant.ts'
import { bites } from '../prove/real/bites.ts'
import { faults } from '../prove/real/faults/all.ts'
import { newerRules } from '../prove/real/many/versions.ts'

const root = join(import.meta.dirname, '..')

/** Runs `npm run prove` with these arguments in a separate process, since it replaces clocks and timers. */
async function prove(...args: string[]): Promise<{ status: number | null; output: string; said: string }> {
  return await proveWith({}, ...args)
}

async function proveWith(
  env: Record<string, string>,
  ...args: string[]
): Promise<{ status: number | null; output: string; said: string }> {
  const child = spawn(process.execPath, [join(root, 'prove/main.ts'), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
  })
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  const [output, said] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { status: await ended, output, said }
}

async function simulate(...args: string[]): Promise<PartResult & { status: number | null }> {
  const { status, output, said } = await prove('--sim', '--json', ...args)
  expect(output, said).toMatch(/^\{/)
  return { status, ...(JSON.parse(output) as PartResult) }
}

test('simulated histories keep every promise, and a seed has the same schedule each time', async () => {
  const { status, failures, figures, rows } = await simulate('--seed', '1', '--rounds', '20')
  expect(failures).toEqual([])
  expect(status).toBe(0)
  expect(figures).toMatchObject({ histories: 20, repeated: 1 })
  expect(Number(figures.acknowledged)).toBeGreaterThan(50)
  expect(rows.at(-1)).toMatchObject({ fault: 'all', rounds: 20, lost: 0, twice: 0, reordered: 0, lied: 0 })
})

test('plans that once failed pass', async () => {
  const plans = globSync('prove/sim/plans/*.json', { cwd: root })
  expect(plans.length).toBeGreaterThan(0)
  for (const plan of plans) expect(await simulate('--plan', plan), plan).toMatchObject({ status: 0, failures: [] })
})

test.for([
  ['outbox-directory-not-synced', 'outbox-directory-not-synced', 'was kept to be sent'],
  ['restart-forgets-wakes', 'restart-forgets-wakes', 'no session of ana was notified'],
  ['restart-loses-its-directory', 'restart-loses-its-directory', 'to ana-101.1 again'],
])('a plan that once failed finds its fault again when it is planted: %s', async ([plan, fault, found]) => {
  const file = `prove/sim/plans/${plan}.json`
  const { status, failures } = await simulate('--plan', file, '--plant', fault!, '--no-shrink')
  expect(status).toBe(1)
  expect(failures[0]!.what).toContain(found)
})

test.for([
  ['ack-of-the-first-alone', 'lost ack'],
  ['forged-sender', 'forged'],
])('a planted fault is found, with the command that reproduces it: %s', async ([name, kind]) => {
  const { status, failures } = await simulate('--plant', name!, '--seed', '1', '--rounds', '4', '--no-shrink')
  expect(status).toBe(1)
  expect(failures.map(({ what }) => what).join('\n')).toContain(`${kind}: `)
  expect(failures[0]!.repeat).toMatch(/^npm run prove -- --sim --seed \d+ --rounds 1$/)
})

test('every planted fault matches the source', () => {
  for (const fault of [...planted, ...bites.flatMap(({ bug, with: more = [] }) => [bug, ...more]), ...newerRules])
    expect(() => withFault(fault, readFileSync(join(root, 'src', fault.file), 'utf8')), fault.name).not.toThrow()
  expect(planted.length).toBeGreaterThanOrEqual(12)
})

test.for([
  [['--rounds', '0'], "--rounds is a whole number from 1 on, not '0'."],
  [['--plant', 'nothing'], "There is no fault 'nothing'."],
  [['--fault', 'nothing'], "There is no fault 'nothing'."],
] as const)('an invalid argument is reported: %j', async ([args, sentence]) => {
  const { status, said } = await prove('--sim', ...args)
  expect(status).toBe(2)
  expect(said).toContain(sentence)
})

test('a real hub is killed under real members, and their observations keep every promise', async () => {
  const { status, output, said } = await prove(
    '--quick',
    '--fault',
    'kill-hub',
    '--rounds',
    '1',
    '--seed',
    '1',
    '--json',
  )
  const { rows, failures } = JSON.parse(output) as PartResult
  expect(failures, said).toEqual([])
  expect(status).toBe(0)
  expect(rows).toMatchObject([{ fault: 'kill-hub', rounds: 1, lost: 0, twice: 0, reordered: 0, lied: 0 }])
  expect(Math.min(rows[0]!.strikes, rows[0]!.acknowledged)).toBeGreaterThan(0)
})

test('a failed round names its command and the location of its logs', async () => {
  const env = { CLAUDE_NET_PROVE_PROGRAM: '/dev/null' }
  const { status, output } = await proveWith(env, '--fault', 'kill-hub', '--rounds', '1', '--seed', '7')
  expect(status).toBe(1)
  expect(output).toContain('npm run prove -- --fault kill-hub --seed 7 --rounds 1')
  const [, dir] = /the history, the logs and the store are in (\S+)/.exec(output)!
  expect(readFileSync(join(dir!, 'violations.txt'), 'utf8')).toContain('The hub ended (0)')
  rmSync(dir!, { recursive: true })
})

test('a fault that this machine cannot produce is listed with the reason', async () => {
  const { status, output } = await proveWith({ PATH: '/nowhere' }, '--fault', 'partition', '--rounds', '1')
  expect(output).toMatch(/^skipped partition: namespaces cannot be made here/m)
  expect(status).toBe(0)
})

test('every fault has a unique name, and the bugs that faults must find refer to existing faults', () => {
  const names = faults.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const { by } of bites) expect(names).toEqual(expect.arrayContaining([...by]))
})
