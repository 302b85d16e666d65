import { spawn } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Fault, faults } from './faults.ts'

/**
 * What became of one fault: a test turned red (which), none did, the text that it replaces is not there once, or the time was over before
 * the tests were.
 */
export interface Planted {
  fault: Fault
  result: 'red' | 'survived' | 'misplaced' | 'undecided'
  /** The first test that turned red. */
  by?: string
  ms: number
}

export interface PlantOptions {
  /** Only faults whose name has this text. */
  only?: string
  /** Only the faults of one part of so many: `2/7`. */
  part?: { index: number; of: number }
  say: (line: string) => void
}

const root = resolve(import.meta.dirname, '../..')

/** Where in `text` a fault is to be put; -1 where its place is not there, or more than once. */
export function placeOf({ find }: Fault, text: string): number {
  const at = text.indexOf(find)
  return text.indexOf(find, at + 1) < 0 ? at : -1
}

/**
 * Puts each fault into a copy of this checkout and runs its tests there, one fault at a time. The tests run without any fault first: one
 * that is red by itself proves nothing. Throws when that is so.
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
    if (sound.red.length > 0) throw new Error(`Red without any fault: ${sound.red.join('; ')}`)
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

/** How many faults are tried on one day. */
const perDay = 2

/** The faults of a day, written as 2026-12-24: those that unit tests find quickly take turns. Throws for what is no day. */
export function faultsOfDay(day: string, all: readonly Fault[] = faults): Fault[] {
  const number = Date.parse(`${day}T00:00:00Z`) / 86_400_000
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || !Number.isInteger(number))
    throw new Error(`${day} is no day such as 2026-12-24.`)
  const quick = all.filter(fault => fault.quick !== undefined)
  return Array.from({ length: Math.min(perDay, quick.length) }, (_, n) => quick[(number * perDay + n) % quick.length]!)
}

/**
 * Puts each fault of a day into a copy of this checkout, and runs the one file of tests that finds it. What is not decided within `budgetMs`
 * in all is given up: that is no failure.
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
        // The time is over, or this machine could not run the tests at all: neither says anything of the program.
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

/** What git has of this checkout, with the packages of this one. */
function copyCheckout(copy: string): void {
  for (const name of globSync('*', { cwd: root })) {
    if (!['node_modules', 'dist', 'data'].includes(name))
      cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
}

/** Runs tests over a build of what is in `copy`. Returns the names of those that were red; a build that fails is one. */
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
