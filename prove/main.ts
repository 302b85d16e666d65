// Proves what Claude Net promises, by runs that anyone can repeat. docs/proof.md says what is covered, and what is not.
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

// A planted fault is put into the modules as they are loaded: until then none of the program's may be.
const isPlanted = process.argv.some(each => /^--plant(=|$)/.test(each))
const { faults } = isPlanted ? { faults: [] } : await import('./real/faults/all.ts')
const names = planted.map(({ name }) => name)
const options = new Command('npm run prove --')
  .description(
    'Plays what may go wrong, and holds what clients saw to the promises. A violation is an exit status of 1. Without options: real\n' +
      'processes under every fault, then simulated histories and some planted faults, in about 10 minutes.',
  )
  .option('--quick', 'a few of the faults and few histories, in less than a minute')
  .option('--long', 'everything, for a night')
  .option('--minutes <n>', 'so many minutes for the real processes instead, or with --sim for the histories')
  .option('--real', 'real processes alone')
  .option(
    '--fault <name...>',
    `of the faults with real processes these alone: ${faults.map(({ name }) => name).join(', ')}`,
  )
  .option(
    '--bites',
    'builds the program with a bug in it: the faults with real processes that have to find it must fail within --rounds (3)',
  )
  .option('--sim', 'the simulation alone: the real core with a simulated clock, disk and network')
  .option('--seed <n>', 'the first seed; each round has the next one. By default by chance, and printed')
  .option('--rounds <n>', 'how many histories, and rounds of each fault')
  .option('--plan <file>', 'play one plan of the simulation, as a failure has left it, twice')
  .option('--jobs <n>', 'how many processes share the histories; by default one for each processor')
  .option('--step <n>', 'each round of the simulation adds this to the seed', '1')
  .option('--no-shrink', 'do not look for less that fails as well')
  .option('--plant <name>', `simulate with this fault in the program: ${names.join(', ')}`)
  .option('--plants', 'each of these faults in turn, up to the rounds; one that is not found is an exit status of 1')
  .option(
    '--suite [part]',
    'puts faults into a copy and runs the tests that have to find them: all, or one part of them as 2/7; minutes each',
  )
  .option('--only <text>', 'of --suite only the faults whose name has this text')
  .option('--day [date]', 'of --suite the two faults of this day, or of 2026-12-24, within a minute')
  .option('--fuzz [target]', 'gives what reads from outside mutated inputs: all of it in turn, or one target')
  .option('--seconds <n>', 'of --fuzz how long for each target; it ends sooner after --rounds inputs', '60')
  .option('--replay', 'of --fuzz the inputs of the corpus alone')
  .option('--input <file>', 'of --fuzz one input alone, as a failure has left it')
  .option('--no-keep', 'of --fuzz do not change the corpus')
  .option('--json', 'print JSON')
  .addHelpText(
    'after',
    `\nFaults with real processes:\n${faults.map(({ name, title }) => `  ${name.padEnd(18)} ${title}`).join('\n')}\n\n` +
      'Progress goes to stderr, the result to stdout. A round that fails leaves its history, logs and store in a directory that is named.',
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
  // Fewer are not worth a second process.
  if (jobs > 1 && !plan && histories >= 50) {
    const { plant, shrink } = options
    return await inParallel({ jobs, seed, rounds: histories, plant, shrink, signal, onRound })
  }
  // Loaded only now: a planted fault is put into the modules as they are loaded.
  const { runSimulations } = await import('./sim/part.ts')
  const step = numberOf('step', options.step, 1)
  return await runSimulations({ seed, step, rounds: histories, plan, signal, say, onRound, shrinks: options.shrink })
}

/** Some of the planted faults, others each day. */
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
