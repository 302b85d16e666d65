// Checks the promises of Claude Net by reproducible runs. docs/proof.md describes what is covered, and what is not.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { type Mode, modes, ofTheDay } from './modes.ts'
import { inParallel } from './parallel.ts'
import type { PartResult } from './part.ts'
import { table } from './part.ts'
import { plant, planted } from './plant.ts'
import { progressOf } from './progress.ts'

interface Options {
  quick?: boolean
  long?: boolean
  minutes?: string
  real?: boolean
  fault?: string[]
  sim?: boolean
  seed?: string
  rounds?: string
  plan?: string
  jobs?: string
  step: string
  plant?: string
  plants?: boolean
  bites?: boolean
  suite?: string | true
  only?: string
  day?: string | true
  fuzz?: string | true
  seconds: string
  input?: string
  keep: boolean
  replay?: boolean
  shrink: boolean
  json?: boolean
}

// `--plant` changes modules as they are loaded, so none of the program's modules may be loaded before.
const isPlanted = process.argv.some(each => /^--plant(=|$)/.test(each))
const { faults } = isPlanted ? { faults: [] } : await import('./real/faults/all.ts')
const names = planted.map(({ name }) => name)
const options = new Command('npm run prove --')
  .description(
    'Inject faults, and check what clients saw against the promises. The exit status is 1 if a promise was broken. Without options:\n' +
      'real processes under every fault, then simulated histories and some planted faults, in about 10 minutes.',
  )
  .option('--quick', 'Run a few faults and a few histories, in less than a minute')
  .option('--long', 'Run everything, for a night')
  .option('--minutes <n>', 'Spend this many minutes on the real processes or, with --sim, on the histories')
  .option('--real', 'Run only real processes')
  .option(
    '--fault <name...>',
    `Run only real processes, with these faults: ${faults.map(({ name }) => name).join(', ')}`,
  )
  .option(
    '--bites',
    'Build the program with one bug at a time; the faults that must find it with real processes must fail within --rounds (3)',
  )
  .option('--sim', 'Run only the simulation: the real core with a simulated clock, disk and network')
  .option('--seed <n>', 'First seed; each round uses the next one (default: random, and printed)')
  .option('--rounds <n>', 'Number of histories, and of rounds of each fault')
  .option('--plan <file>', 'Run one plan of the simulation, as written by a failure, twice')
  .option('--jobs <n>', 'Number of processes that share the histories (default: one per processor)')
  .option('--step <n>', 'Increment of the seed for each round of the simulation', '1')
  .option('--no-shrink', 'Do not reduce a failure to a smaller one')
  .option('--plant <name>', `Simulate with this fault planted in the program: ${names.join(', ')}`)
  .option(
    '--plants',
    'Plant each of these faults in turn, for up to --rounds; the exit status is 1 if one is not found',
  )
  .option(
    '--suite [part]',
    'Plant faults in a copy and run the tests that must find them: all, or a part such as 2/7; takes minutes each',
  )
  .option('--only <text>', 'With --suite: only the faults whose name contains this text')
  .option('--day [date]', 'With --suite: the two faults of this day, or of a day such as 2026-12-24, within a minute')
  .option(
    '--fuzz [target]',
    'Feed mutated inputs to the code that reads external data: to every target in turn, or to one',
  )
  .option('--seconds <n>', 'With --fuzz: time for each target, which ends earlier after --rounds inputs', '60')
  .option('--replay', 'With --fuzz: only the inputs of the corpus')
  .option('--input <file>', 'With --fuzz: only this input, as written by a failure')
  .option('--no-keep', 'With --fuzz: do not change the corpus')
  .option('--json', 'Print JSON')
  .helpOption('-h, --help', 'Show this help')
  .addHelpText(
    'after',
    `\nFaults with real processes:\n${faults.map(({ name, title }) => `  ${name.padEnd(19)} ${title}`).join('\n')}\n\n` +
      'Progress is printed to stderr, the result to stdout. A round that fails keeps its history, logs and store in a directory that is printed.',
  )
  .parse()
  .opts<Options>()

const jobs = options.jobs === undefined ? availableParallelism() : numberOf('jobs', options.jobs, 1)
const seed = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : numberOf('seed', options.seed, 0)
const rounds = options.rounds === undefined ? undefined : numberOf('rounds', options.rounds, 1)
const mode: Mode = modes[options.quick ? 'quick' : options.long ? 'long' : 'usual']
const say = (text: string) => process.stderr.write(`prove: ${text}\n`)

if (options.plants) {
  const { tryPlanted } = await import('./try-planted.ts')
  const isAllFound = await tryPlanted({
    rounds: rounds ?? 5000,
    seed: options.seed === undefined ? 1 : seed,
    json: options.json === true,
    say,
  })
  process.exit(isAllFound ? 0 : 1)
}

if (options.suite !== undefined) {
  const { tryTheDay, tryTheSuite } = await import('./suite/part.ts')
  if (options.day !== undefined) {
    const day = options.day === true ? new Date().toISOString().slice(0, 10) : options.day
    process.exit((await tryTheDay(day, say)) ? 0 : 1)
  }
  const part = options.suite === true ? undefined : partOf(options.suite)
  const isAllFound = await tryTheSuite({ only: options.only, part, json: options.json === true, say })
  process.exit(isAllFound ? 0 : 1)
}

if (options.fuzz !== undefined) {
  const { runFuzz, targetNames } = await import('./fuzz/part.ts')
  const target = options.fuzz === true ? undefined : options.fuzz
  if (target !== undefined && !targetNames.includes(target))
    stop(`There is no target '${target}'. Targets: ${targetNames.join(', ')}`)
  if (options.input !== undefined && target === undefined) stop('--input takes a target: --fuzz TARGET --input FILE.')
  const isSound = await runFuzz({
    target,
    seed,
    rounds: options.replay ? 0 : (rounds ?? Number.POSITIVE_INFINITY),
    seconds: numberOf('seconds', options.seconds, 1),
    input: options.input,
    keeps: options.keep && !options.replay,
    json: options.json === true,
    say,
  })
  process.exit(isSound ? 0 : 1)
}

const unknownFault = options.fault?.find(name => faults.every(fault => fault.name !== name))
if (unknownFault !== undefined)
  stop(`There is no fault '${unknownFault}'. Faults: ${faults.map(({ name }) => name).join(', ')}`)

if (options.plant !== undefined) {
  if (!names.includes(options.plant)) stop(`There is no fault '${options.plant}'. Faults: ${names.join(', ')}`)
  plant(options.plant)
}

const began = new Date()
const results: PartResult[] = []
const isSimAlone = options.sim === true || options.plan !== undefined || options.plant !== undefined
const isRealAlone = options.real === true || options.fault !== undefined
if (options.bites) {
  const { tryBites } = await import('./real/bites.ts')
  results.push(await tryBites({ only: options.fault, rounds: rounds ?? 3, seed, say }))
} else {
  if (!isSimAlone) results.push(await real())
  if (!isRealAlone) results.push(await simulate())
  if (!isSimAlone && !isRealAlone && mode.plants > 0) results.push(await plants(mode.plants))
}
const failures = results.flatMap(result => result.failures)
if (options.json) {
  const whole = { date: began.toISOString(), seed, rounds }
  console.log(
    JSON.stringify(results.length === 1 ? { ...whole, ...results[0] } : { ...whole, parts: results }, null, 2),
  )
} else print()
process.exit(failures.length === 0 ? 0 : 1)

async function real(): Promise<PartResult> {
  const minutes = options.minutes === undefined ? undefined : numberOf('minutes', options.minutes, 1)
  const { runIsolated } = await import('./real/isolate.ts')
  say(`--real --seed ${seed}`)
  return await runIsolated({
    seed,
    rounds,
    budgetMs: minutes === undefined ? mode.realMs : minutes * 60_000,
    only: options.fault,
    isQuick: options.quick,
    harmMs: mode.harmMs,
  })
}

async function simulate(): Promise<PartResult> {
  const plan = options.plan === undefined ? undefined : JSON.parse(readFileSync(options.plan, 'utf8'))
  const minutes = options.minutes === undefined || !isSimAlone ? undefined : numberOf('minutes', options.minutes, 1)
  const simMs = minutes === undefined ? (isSimAlone && options.long ? mode.realMs : undefined) : minutes * 60_000
  const histories = rounds ?? (simMs === undefined ? (isSimAlone ? 500 : mode.histories) : Number.POSITIVE_INFINITY)
  if (!plan && !process.send) say(`--sim --seed ${seed}${Number.isFinite(histories) ? ` --rounds ${histories}` : ''}`)
  const { signal, onRound } = progressOf(simMs, say)
  // Fewer histories are not worth a second process.
  if (jobs > 1 && !plan && histories >= 50) {
    const { plant, shrink } = options
    return await inParallel({ jobs, seed, rounds: histories, plant, shrink, signal, onRound })
  }
  // Imported late, because `--plant` changes modules as they are loaded.
  const { runSimulations } = await import('./sim/part.ts')
  const step = numberOf('step', options.step, 1)
  return await runSimulations({ seed, step, rounds: histories, plan, signal, say, onRound, shrinks: options.shrink })
}

/** Tries some of the planted faults, others each day. */
async function plants(count: number): Promise<PartResult> {
  const { findPlanted } = await import('./try-planted.ts')
  return await findPlanted({ rounds: 300, seed: 1, only: ofTheDay(names, count, began), say })
}

function print(): void {
  for (const { name, summary, rows, skipped = [] } of results) {
    console.log(`${name}: ${summary}.\n`)
    if (rows.length > 0) console.log(`${table(rows)}\n`)
    for (const { fault, why } of skipped) console.log(`skipped ${fault}: ${why}`)
    if (skipped.length > 0) console.log()
  }
  for (const { what, repeat } of failures) console.log(`FAILED ${what}\n  ${repeat}\n`)
  const verdict = failures.length === 0 ? 'No promise was broken.' : `${failures.length} failures.`
  console.log(options.plan ? verdict : `${verdict} The first seed was ${seed}.`)
}

function numberOf(name: string, text: string, least: number): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < least)
    stop(`--${name} is a whole number from ${least} on, not '${text}'.`)
  return number
}

function partOf(text: string): { index: number; of: number } {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  const part = { index: Number(index), of: Number(of) }
  if (!(part.index >= 1 && part.index <= part.of)) stop(`--suite takes a part such as 2/7, not '${text}'.`)
  return part
}

function stop(why: string): never {
  console.error(why)
  process.exit(2)
}
