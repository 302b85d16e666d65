import { runAlone } from './parallel.ts'
import type { PartResult } from './part.ts'
import { planted } from './plant.ts'

export interface TryOptions {
  /** Maximum number of histories that are played to find one fault. */
  rounds: number
  seed: number
  /** Names of the faults to try; undefined for all. */
  only?: readonly string[]
  say: (text: string) => void
}

/** Number of histories that are played before their failures are examined. */
const atOnce = 25

interface Found {
  name: string
  breaks: string
  /** Number of rounds up to the one in which it was found; undefined if it was not. */
  rounds: number | undefined
  by: string
}

/** Plays the simulation with each planted fault until it is found. Prints which were, and returns whether all were. */
export async function tryPlanted({ json, ...options }: TryOptions & { json: boolean }): Promise<boolean> {
  const found = await tryAll(options)
  const survivors = found.filter(each => each.rounds === undefined)
  const { seed, rounds } = options
  if (json) console.log(JSON.stringify({ seed, rounds, found }, null, 2))
  else {
    console.log('| fault | breaks | found by round | as |\n| --- | --- | ---: | --- |')
    for (const each of found)
      console.log(`| ${each.name} | ${each.breaks} | ${each.rounds ?? 'NOT FOUND'} | ${each.by} |`)
    console.log(`\n${found.length - survivors.length} of ${found.length} faults were found.`)
  }
  return survivors.length === 0
}

/** Does the same as a part of a run: a fault that is not found is a failure. */
export async function findPlanted(options: TryOptions): Promise<PartResult> {
  const { rounds, seed } = options
  const found = await tryAll(options)
  const survivors = found.filter(each => each.rounds === undefined)
  return {
    name: 'plants',
    summary: `${found.length - survivors.length} of ${found.length} planted faults were found by the simulation: ${found.map(({ name }) => name).join(', ')}`,
    rows: [],
    failures: survivors.map(({ name }) => ({
      what: `the planted fault ${name} was not found in ${rounds} histories`,
      repeat: `npm run prove -- --plant ${name} --seed ${seed} --rounds ${rounds}`,
    })),
    figures: { planted: found.length, found: found.length - survivors.length },
  }
}

async function tryAll({ rounds, seed, only, say }: TryOptions): Promise<Found[]> {
  const found: Found[] = []
  const chosen = only ? planted.filter(({ name }) => only.includes(name)) : planted
  for (const { name, breaks } of chosen) {
    const result = await tryOne(name, seed, rounds)
    say(`${name}: ${result.rounds === undefined ? `NOT FOUND in ${rounds} rounds` : `found, ${result.by}`}`)
    found.push({ name, breaks, ...result })
  }
  return found
}

async function tryOne(name: string, seed: number, rounds: number): Promise<Pick<Found, 'rounds' | 'by'>> {
  for (let done = 0; done < rounds; done += atOnce) {
    const count = Math.min(atOnce, rounds - done)
    const { failures } = await runAlone([
      '--plant',
      name,
      '--no-shrink',
      '--seed',
      String(seed + done),
      '--rounds',
      String(count),
    ])
    const [first] = failures
    if (!first) continue
    const [, failed = '', kind = ''] = /^seed (\d+)[\s\S]*?\n {2}([^:]+):/.exec(first.what) ?? []
    return { rounds: Number(failed) - seed + 1, by: kind }
  }
  return { rounds: undefined, by: '' }
}
