/** Extent of one run. */
export interface Mode {
  /** Time in which rounds with real processes may start, in ms. */
  realMs: number
  /** Duration of the faults of one such round, in ms. */
  harmMs: number
  /** Number of simulated histories. */
  histories: number
  /** Number of planted faults that the simulation must find. */
  plants: number
}

export const modes = {
  quick: { realMs: 20_000, harmMs: 600, histories: 30, plants: 0 },
  usual: { realMs: 7 * 60_000, harmMs: 4000, histories: 250, plants: 3 },
  long: { realMs: 8 * 3_600_000, harmMs: 20_000, histories: 20_000, plants: 100 },
} satisfies Record<string, Mode>

/** Returns `count` of `names`, others each day, so that daily runs try all of them in turn. */
export function ofTheDay(names: readonly string[], count: number, date: Date): string[] {
  const day = Math.floor(date.getTime() / 86_400_000)
  const first = (day * count) % names.length
  return [...names, ...names].slice(first, first + Math.min(count, names.length))
}
