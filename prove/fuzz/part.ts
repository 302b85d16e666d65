import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { type FuzzResult, fuzz, tryInput } from './loop.ts'
import { targets } from './targets/all.ts'

export interface FuzzPartOptions {
  /** A single target; by default all of them in turn. */
  target?: string
  seed: number
  /** Limits of each target: the first one that is reached ends it; 0 rounds replay the corpus only. */
  rounds: number
  seconds: number
  /** A file with a single input to run. */
  input?: string
  keeps: boolean
  json: boolean
  say: (text: string) => void
}

/** The names of all targets. */
export const targetNames = targets.map(({ name }) => name)

/** Fuzzes and prints the results. Resolves to whether all promises were kept. */
export async function runFuzz(options: FuzzPartOptions): Promise<boolean> {
  const { input, json, say, seed } = options
  const chosen = targets.filter(({ name }) => options.target === undefined || name === options.target)
  if (input !== undefined) {
    const failures = await tryInput(chosen[0]!, readFileSync(input), say)
    console.log(
      json
        ? JSON.stringify({ failures })
        : failures.length === 0
          ? 'No promise was broken.'
          : failures.map(({ what }) => `FAILED ${what}`).join('\n'),
    )
    return failures.length === 0
  }
  const results: FuzzResult[] = []
  for (const target of chosen) {
    // A replay is short; otherwise each target runs in a process of its own, since an input may crash it.
    const isAlone = chosen.length === 1 || options.rounds === 0
    const result = isAlone ? await fuzz(target, options) : await inProcess(target.name, options)
    say(
      `${target.name}: ${result.inputs} inputs in ${result.seconds} s, ${result.found} reached something new, ${result.failures.length} failures`,
    )
    results.push(result)
  }
  const failures = results.flatMap(each => each.failures.map(failure => ({ target: each.target, ...failure })))
  if (json) console.log(JSON.stringify({ date: new Date().toISOString(), seed, results }, null, 2))
  else {
    console.log(table(results))
    for (const { target, what, file } of failures)
      console.log(`\nFAILED ${target}: ${what}\n  npm run prove -- --fuzz ${target} --input ${file}`)
    console.log(`\n${failures.length === 0 ? 'No promise was broken.' : `${failures.length} failures.`} Seed ${seed}.`)
  }
  return failures.length === 0
}

/** Runs one target in a process of its own. */
async function inProcess(target: string, { seed, rounds, seconds, keeps, say }: FuzzPartOptions): Promise<FuzzResult> {
  const main = `${import.meta.dirname}/../main.ts`
  const args = ['--fuzz', target, '--json', '--seed', String(seed), '--seconds', String(seconds)]
  if (Number.isFinite(rounds)) args.push('--rounds', String(rounds))
  if (!keeps) args.push('--no-keep')
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<string>(resolve => child.on('close', (code, signal) => resolve(String(code ?? signal))))
  const output = await text(child.stdout)
  try {
    return (JSON.parse(output) as { results: FuzzResult[] }).results[0]!
  } catch {
    const what = `the process ended with ${await ended}; what it said on standard error names the input`
    say(`${target}: ${what}`)
    const none = { inputs: 0, covered: 0, corpus: 0, found: 0, slowestMs: 0, grownMiB: 0, seconds, digest: '' }
    return { target, ...none, failures: [{ what, file: '' }] }
  }
}

function table(results: readonly FuzzResult[]): string {
  const head =
    '| target | inputs | program covered, characters | files of the corpus | new | slowest | memory grown | failures |'
  const lines = results.map(
    ({ target, inputs, covered, corpus, found, slowestMs, grownMiB, failures }) =>
      `| ${target} | ${inputs} | ${covered} | ${corpus} | ${found} | ${slowestMs} ms | ${grownMiB} MiB | ${failures.length} |`,
  )
  return [head, '| --- | --: | --: | --: | --: | --: | --: | --: |', ...lines].join('\n')
}
