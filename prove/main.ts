// Proves what Claude Net promises, by runs that anyone can repeat. docs/proof.md says what is covered, and what is not.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Command } from 'commander'
import { inParallel } from './parallel.ts'
import type { PartResult } from './part.ts'
import { table } from './part.ts'
import { plant, planted } from './plant.ts'

interface Options {
  sim?: boolean
  seed?: string
  rounds: string
  plan?: string
  jobs: string
  plant?: string
  plants?: boolean
  suite?: string | true
  only?: string
  fuzz?: string | true
  seconds: string
  input?: string
  keep: boolean
  replay?: boolean
  shrink: boolean
  json?: boolean
}

const names = planted.map(({ name }) => name)
const command = new Command('npm run prove --')
  .description(
    'Plays what may go wrong, and holds what clients saw to the promises. A violation is an exit status of 1.',
  )
  .option(
    '--sim',
    'the simulation: the real core with a simulated clock, disk and network (the default, and all there is so far)',
  )
  .option('--seed <n>', 'the first seed; each round has the next one. By default by chance, and printed')
  .option('--rounds <n>', 'how many histories', '500')
  .option('--plan <file>', 'play one plan, as a failure has left it, twice')
  .option('--jobs <n>', 'how many processes share the rounds', '1')
  .option('--no-shrink', 'do not look for less that fails as well')
  .option('--plant <name>', `with this fault in the program: ${names.join(', ')}`)
  .option('--plants', 'each of these faults in turn, up to the rounds; one that is not found is an exit status of 1')
  .option(
    '--suite [part]',
    'puts faults into a copy and runs the tests that have to find them: all, or one part of them as 2/7; minutes each',
  )
  .option('--only <text>', 'of --suite only the faults whose name has this text')
  .option('--fuzz [target]', 'gives what reads from outside mutated inputs: all of it in turn, or one target')
  .option('--seconds <n>', 'of --fuzz how long for each target; it ends sooner after --rounds inputs', '60')
  .option('--replay', 'of --fuzz the inputs of the corpus alone')
  .option('--input <file>', 'of --fuzz one input alone, as a failure has left it')
  .option('--no-keep', 'of --fuzz do not change the corpus')
  .option('--json', 'print JSON')
  .addHelpText('after', '\nProgress goes to stderr, the result to stdout.')
  .parse()
const options = command.opts<Options>()

const rounds = numberOf('rounds', options.rounds, 1)
const jobs = Math.min(numberOf('jobs', options.jobs, 1), availableParallelism())
const seed = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : numberOf('seed', options.seed, 0)
const say = (text: string) => process.stderr.write(`prove: ${text}\n`)

if (options.plants) {
  const { tryPlanted } = await import('./try-planted.ts')
  const isAllFound = await tryPlanted({
    rounds,
    seed: options.seed === undefined ? 1 : seed,
    json: options.json === true,
    say,
  })
  process.exit(isAllFound ? 0 : 1)
}

if (options.suite !== undefined) {
  const { tryTheSuite } = await import('./suite/part.ts')
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
  const isCounted = command.getOptionValueSource('rounds') !== 'default'
  const isSound = await runFuzz({
    target,
    seed,
    rounds: options.replay ? 0 : isCounted ? rounds : Number.POSITIVE_INFINITY,
    seconds: numberOf('seconds', options.seconds, 1),
    input: options.input,
    keeps: options.keep && !options.replay,
    json: options.json === true,
    say,
  })
  process.exit(isSound ? 0 : 1)
}

if (options.plant !== undefined) {
  if (!names.includes(options.plant)) stop(`There is no fault '${options.plant}'. Faults: ${names.join(', ')}`)
  plant(options.plant)
}

const plan = options.plan === undefined ? undefined : JSON.parse(readFileSync(options.plan, 'utf8'))
if (!plan) say(`--sim --seed ${seed} --rounds ${rounds}`)
const began = Date.now()
let result: PartResult
if (jobs > 1 && !plan && rounds > jobs)
  result = await inParallel({ jobs, seed, rounds, plant: options.plant, shrink: options.shrink })
else {
  // Loaded only now: a planted fault is put into the modules as they are loaded.
  const { runSimulations } = await import('./sim/part.ts')
  result = await runSimulations({ seed, rounds, plan, say, shrinks: options.shrink })
}

if (options.json) console.log(JSON.stringify({ date: new Date(began).toISOString(), seed, rounds, ...result }, null, 2))
else {
  console.log(`${result.name}: ${result.summary}.\n\n${table(result.rows)}\n`)
  for (const { what, repeat } of result.failures) console.log(`FAILED ${what}\n  ${repeat}\n`)
  const verdict = result.failures.length === 0 ? 'No promise was broken.' : `${result.failures.length} failures.`
  console.log(plan ? verdict : `${verdict} Seeds ${seed} to ${seed + rounds - 1}.`)
}
process.exit(result.failures.length === 0 ? 0 : 1)

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
