import { type ChildProcess, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { PartResult } from './part.ts'
import { type Progress, summed } from './summary.ts'

export interface ParallelOptions {
  jobs: number
  seed: number
  /** Number of rounds; Infinity for a run that ends by `signal`. */
  rounds: number
  plant?: string
  shrink: boolean
  /** Ends every process after its current round. */
  signal: AbortSignal
  onRound: (progress: Progress) => void
}

/** Distributes the rounds over processes like this one, which take the seeds in turn, and sums up their results. */
export async function inParallel(options: ParallelOptions): Promise<PartResult> {
  const { jobs, seed, rounds, plant, shrink, signal, onRound } = options
  const began = performance.now()
  const progress: Progress[] = []
  const shares = await Promise.all(
    Array.from({ length: Math.min(jobs, rounds) }, async (_, job): Promise<PartResult> => {
      const own = Number.isFinite(rounds) ? Math.ceil((rounds - job) / jobs) : Number.MAX_SAFE_INTEGER
      const args = ['--jobs', '1', '--step', String(jobs), '--seed', String(seed + job), '--rounds', String(own)]
      args.push(...(plant === undefined ? [] : ['--plant', plant]), ...(shrink ? [] : ['--no-shrink']))
      const onMessage = (message: Progress) => {
        progress[job] = message
        const sum = (name: keyof Progress) => progress.reduce((total, each) => total + (each?.[name] ?? 0), 0)
        onRound({ histories: sum('histories'), failures: sum('failures') })
      }
      try {
        return await runAlone(args, { signal, onMessage })
      } catch (error) {
        return lostShare(error as Error, seed + job, progress[job])
      }
    }),
  )
  return { name: 'sim', ...summed(shares, (performance.now() - began) / 1000) }
}

/** Returns the result of a process that ended without one, so that the results of the others are not lost. */
function lostShare(error: Error, firstSeed: number, { histories, failures }: Progress = { histories: 0, failures: 0 }) {
  const names = ['acknowledged', 'operations', 'steps', 'simulatedMs', 'kills', 'repeated', 'undecided']
  return {
    name: 'sim',
    summary: '',
    rows: [],
    failures: [{ what: error.message, repeat: `npm run prove -- --sim --jobs 1 --seed ${firstSeed}` }],
    figures: {
      ...Object.fromEntries(names.map(name => [name, 0])),
      ...{ histories, failed: failures + 1, processorSeconds: 0, firstSeed },
    },
  }
}

export interface AloneOptions {
  /** Ends the process after its current round; it still prints its result. */
  signal?: AbortSignal
  onMessage?: (progress: Progress) => void
}

/** Runs a process like this one and returns its result, whether it found failures or not. */
export async function runAlone(args: string[], { signal, onMessage }: AloneOptions = {}): Promise<PartResult> {
  const child: ChildProcess = spawn(process.execPath, [`${import.meta.dirname}/main.ts`, '--sim', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const end = () => child.kill('SIGTERM')
  signal?.addEventListener('abort', end, { once: true })
  if (signal?.aborted) end()
  child.on('message', message => onMessage?.(message as Progress))
  const output = await text(child.stdout!)
  signal?.removeEventListener('abort', end)
  try {
    return JSON.parse(output) as PartResult
  } catch {
    throw new Error(`A process of the simulation ended without a result: ${output.slice(0, 500)}`)
  }
}
