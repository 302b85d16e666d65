import type { Progress } from './summary.ts'

/** Interval at which the progress of a run is printed, in its first minute and later, in ms. */
const sayEveryMs = { first: 5000, later: 30_000 }

/** Interval at which a process that runs a share of the rounds reports its progress, in ms. */
const reportEveryMs = 1000

/**
 * Returns a signal that ends a run of the simulation, and a callback for its progress. The signal fires after `limitMs`, on the first
 * SIGINT or SIGTERM (a second one kills), and, in a process that runs a share of the rounds, also when its parent has ended.
 */
export function progressOf(
  limitMs: number | undefined,
  say: (text: string) => void,
): { signal: AbortSignal; onRound: (progress: Progress) => void } {
  const ending = new AbortController()
  const end = () => ending.abort()
  if (limitMs !== undefined) setTimeout(end, limitMs).unref()
  // A terminal sends SIGINT to every process of the run. A process with a share also gets a signal from its parent, which must not kill it.
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    if (process.send) process.on(name, end)
    else process.once(name, end)
  process.once('disconnect', end)
  const began = performance.now()
  let saidAt = began
  const onRound = ({ histories, failures }: Progress) => {
    const now = performance.now()
    const every = process.send ? reportEveryMs : now - began < 60_000 ? sayEveryMs.first : sayEveryMs.later
    if (now - saidAt < every) return
    saidAt = now
    const perMinute = Math.round((histories / (now - began)) * 60_000)
    if (process.send) process.send({ histories, failures } satisfies Progress)
    else say(`${histories} histories, ${perMinute} a minute, ${failures} failures`)
  }
  return { signal: ending.signal, onRound }
}
