import { spawn } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Fault, faults } from './faults.ts'

/**
 * Outcome of one fault: a test failed, no test failed, the text to replace does not occur exactly once, or the time ran out before the
 * tests ended.
 */
export interface Planted {
  fault: Fault
  result: 'red' | 'survived' | 'misplaced' | 'undecided'
  /** The first test that failed. */
  by?: string
  ms: number
}

export interface PlantOptions {
  /** Only faults whose name contains this text. */
  only?: string
  /** Only the faults of one part: `2/7`. */
  part?: { index: number; of: number }
  say: (line: string) => void
}

const root = resolve(import.meta.dirname, '../..')

/** Returns the offset in `text` at which to plant a fault; -1 unless its text occurs exactly once. */
export function placeOf({ find }: Fault, text: string): number {
  const at = text.indexOf(find)
  return text.indexOf(find, at + 1) < 0 ? at : -1
}

/**
 * Plants each fault in a copy of this checkout and runs its tests there, one fault at a time. Runs the tests without a fault first, since a
 * test that fails anyway proves nothing; throws if one does.
 */
export async function plantAll({ only, part, say }: PlantOptions): Promise<Planted[]> {
  const chosen = faults.filter(
    ({ name }, index) => (only === undefined || name.includes(only)) && (!part || index % part.of === part.index - 1),
  )
  const copy = mkdtempSync(join(tmpdir(), 'claude-net-planted-'))
  try {
    copyCheckout(copy)
    const tests = [...new Set(chosen.flatMap(fault => fault.tests))].sort()
    say(`without a fault: ${tests.join(' ')}`)
    const sound = await runTests(copy, tests)
    if (sound.red.length > 0) throw new Error(`Tests that fail without a fault: ${sound.red.join('; ')}`)
    const planted: Planted[] = []
    for (const fault of chosen) {
      planted.push(await plant(copy, fault))
      const { result, by, ms } = planted.at(-1)!
      say(`${result.padEnd(9)} ${Math.round(ms / 1000)} s  ${fault.name}${by ? `: ${by}` : ''}`)
    }
    return planted
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** Number of faults per day. */
const perDay = 2

/** Returns the faults of a day, such as 2026-12-24: those that unit tests find quickly take turns. Throws for an invalid date. */
export function faultsOfDay(day: string, all: readonly Fault[] = faults): Fault[] {
  const number = Date.parse(`${day}T00:00:00Z`) / 86_400_000
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || !Number.isInteger(number))
    throw new Error(`${day} is not a date such as 2026-12-24.`)
  const quick = all.filter(fault => fault.quick !== undefined)
  return Array.from({ length: Math.min(perDay, quick.length) }, (_, n) => quick[(number * perDay + n) % quick.length]!)
}

/**
 * Plants each fault of a day in a copy of this checkout, and runs the one test file that finds it. A fault not decided within `budgetMs` in
 * total is given up, which is not a failure.
 */
export async function plantOfDay(day: string, budgetMs: number, say: (line: string) => void): Promise<Planted[]> {
  const chosen = faultsOfDay(day)
  say(`${day}: ${chosen.map(({ name, quick }) => `${name} (${quick})`).join(', ')}`)
  const isOver = AbortSignal.timeout(budgetMs)
  const copy = mkdtempSync(join(tmpdir(), 'claude-net-planted-'))
  try {
    copyCheckout(copy)
    const planted: Planted[] = []
    for (const fault of chosen) {
      try {
        planted.push(await plant(copy, { ...fault, tests: [fault.quick!] }, isOver))
      } catch (error) {
        // The time ran out, or the tests could not run here: both are inconclusive.
        say(`${fault.name}: ${(error as Error).message}`)
        planted.push({ fault, result: 'undecided', ms: budgetMs })
      }
    }
    return planted
  } finally {
    rmSync(copy, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function plant(copy: string, fault: Fault, signal?: AbortSignal): Promise<Planted> {
  const startedAt = performance.now()
  const path = join(copy, 'src', fault.file)
  const text = readFileSync(path, 'utf8')
  const at = placeOf(fault, text)
  if (at < 0) return { fault, result: 'misplaced', ms: 0 }
  writeFileSync(path, text.slice(0, at) + fault.put + text.slice(at + fault.find.length))
  try {
    for (const tests of fault.tests) {
      const { red } = await runTests(copy, [tests], signal)
      if (red[0] !== undefined) return { fault, result: 'red', by: red[0], ms: performance.now() - startedAt }
    }
    return { fault, result: 'survived', ms: performance.now() - startedAt }
  } finally {
    writeFileSync(path, text)
  }
}

/** Copies this checkout, and links its packages. */
function copyCheckout(copy: string): void {
  for (const name of globSync('*', { cwd: root })) {
    if (!['node_modules', 'dist', 'data'].includes(name))
      cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
}

/** Runs tests on a build of `copy`. Returns the names of failed tests; a failed build counts as one. */
async function runTests(copy: string, tests: string[], signal?: AbortSignal): Promise<{ red: string[] }> {
  const needsBuild = tests.some(name => name.startsWith('test/'))
  if (needsBuild && (await run(copy, ['build.ts'])).code !== 0) return { red: ['the build'] }
  const report = join(copy, 'report.json')
  rmSync(report, { force: true })
  const vitest = join('node_modules', 'vitest', 'vitest.mjs')
  const args = [vitest, 'run', ...tests, '--bail', '1', '--reporter', 'json', '--outputFile', report]
  const { code, output } = await run(copy, args, signal)
  if (code === 0) return { red: [] }
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report
    const red = testResults.flatMap(({ name, assertionResults, message }) => {
      const failed = assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName)
      return failed.length > 0 ? failed : message ? [`${name}: ${message.split('\n')[0]}`] : []
    })
    return { red: red.length > 0 ? red : ['a file of tests'] }
  } catch {
    throw new Error(`The tests did not run: ${output.slice(-2000)}`)
  }
}

interface Report {
  testResults: { name: string; message?: string; assertionResults: { status: string; fullName: string }[] }[]
}

function run(cwd: string, args: string[], signal?: AbortSignal): Promise<{ code: number | null; output: string }> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
    child.on('error', reject)
    child.on('close', code => done({ code, output }))
  })
}
