import { quantile } from './load.ts'

/** A figure of the subject and one of its yardstick, measured in succession. */
export interface Pair {
  subject: number
  yardstick: number
}

export interface Comparison extends Pair {
  /** Median of the rounds' own ratios: a slow minute slows both, and does not change it. */
  ratio: number
  rounds: Pair[]
}

/** Medians of several rounds. */
export function comparison(rounds: Pair[]): Comparison {
  return {
    subject: median(rounds.map(({ subject }) => subject)),
    yardstick: median(rounds.map(({ yardstick }) => yardstick)),
    ratio: median(rounds.map(({ subject, yardstick }) => subject / yardstick)),
    rounds,
  }
}

/** Measures both in succession. The order alternates from round to round, so that neither has an advantage. */
export async function measureInTurn(
  round: number,
  subject: () => Promise<number>,
  yardstick: () => Promise<number>,
): Promise<Pair> {
  if (round % 2 === 1) return { subject: await subject(), yardstick: await yardstick() }
  const first = await yardstick()
  return { subject: await subject(), yardstick: first }
}

/** Returns the sorted times of `count` measurements of each, taken in turn. */
export async function timeInTurn(
  count: number,
  subject: () => Promise<number>,
  yardstick: () => Promise<number>,
): Promise<{ subject: number[]; yardstick: number[] }> {
  const times: { subject: number[]; yardstick: number[] } = { subject: [], yardstick: [] }
  for (let index = 0; index < count; index++) {
    const pair = await measureInTurn(index, subject, yardstick)
    times.subject.push(pair.subject)
    times.yardstick.push(pair.yardstick)
  }
  times.subject.sort((a, b) => a - b)
  times.yardstick.sort((a, b) => a - b)
  return times
}

/** Returns the time that `work` takes, in ms. */
export async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? quantile(sorted, 0.5) : (sorted[upper - 1]! + sorted[upper]!) / 2
}
