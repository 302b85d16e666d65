import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { PartResult, Row } from './part.ts'

export interface ParallelOptions {
  jobs: number
  seed: number
  rounds: number
  plant?: string
  shrink: boolean
}

/** Shares the rounds among processes like this one, and sums up what they came to. */
export async function inParallel({ jobs, seed, rounds, plant, shrink }: ParallelOptions): Promise<PartResult> {
  const began = performance.now()
  const share = Math.ceil(rounds / jobs)
  const results = await Promise.all(
    Array.from({ length: Math.ceil(rounds / share) }, (_, job) => {
      const first = job * share
      const more = [...(plant === undefined ? [] : ['--plant', plant]), ...(shrink ? [] : ['--no-shrink'])]
      return runAlone(['--seed', String(seed + first), '--rounds', String(Math.min(share, rounds - first)), ...more])
    }),
  )
  const seconds = Number(((performance.now() - began) / 1000).toFixed(1))
  const figures = results.map(each => each.figures)
  const sum = (name: string) => figures.reduce((total, each) => total + Number(each[name]), 0)
  const perMinute = Math.round((sum('histories') / seconds) * 60)
  return {
    name: 'sim',
    summary: `${sum('histories')} histories of ${sum('operations')} operations in ${seconds} s (${perMinute} a minute; ${sum('processorSeconds').toFixed(1)} s of processor time in ${results.length} processes, ${sum('kills')} crashes of hubs); ${sum('repeated')} were played twice`,
    rows: sumRows(results.flatMap(each => each.rows)),
    failures: results.flatMap(each => each.failures),
    figures: {
      ...Object.fromEntries(
        [
          'histories',
          'acknowledged',
          'operations',
          'steps',
          'simulatedMs',
          'kills',
          'repeated',
          'processorSeconds',
        ].map(name => [name, sum(name)]),
      ),
      ...{ seconds, perMinute, firstSeed: seed },
    },
  }
}

/** Runs a process like this one, and returns its result, whatever it found. */
export async function runAlone(args: string[]): Promise<PartResult> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/main.ts`, '--sim', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = await text(child.stdout)
  try {
    return JSON.parse(output) as PartResult
  } catch {
    throw new Error(`A process of the simulation ended without a result: ${output.slice(0, 500)}`)
  }
}

function sumRows(rows: readonly Row[]): Row[] {
  const sums = new Map<string, Row>()
  for (const row of rows) {
    const sum = sums.get(row.fault)
    if (!sum) sums.set(row.fault, { ...row })
    else {
      for (const name of ['rounds', 'strikes', 'acknowledged', 'lost', 'twice', 'reordered', 'lied'] as const)
        sum[name] += row[name]
      sum.worstMs = Math.max(sum.worstMs ?? 0, row.worstMs ?? 0)
    }
  }
  const all = [...sums.values()]
  return [...all.filter(({ fault }) => fault !== 'all'), ...all.filter(({ fault }) => fault === 'all')]
}
