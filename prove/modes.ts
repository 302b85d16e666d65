/** How much one run tries. */
export interface Mode {
  /** How long rounds with real processes are begun, in ms. */
  realMs: number
  /** How long the harm of one such round goes on, in ms. */
  harmMs: number
  /** How many histories are simulated. */
  histories: number
  /** How many planted faults the simulation has to find. */
  plants: number
}

export const modes = {
  quick: { realMs: 20_000, harmMs: 600, histories: 30, plants: 0 },
  usual: { realMs: 7 * 60_000, harmMs: 4000, histories: 250, plants: 3 },
  long: { realMs: 8 * 3_600_000, harmMs: 20_000, histories: 20_000, plants: 100 },
} satisfies Record<string, Mode>

/** So many of `names`, others each day: whoever runs it daily has tried all of them in turn. */
export function ofTheDay(names: readonly string[], count: number, date: Date): string[] {
  const day = Math.floor(date.getTime() / 86_400_000)
  const first = (day * count) % names.length
  return [...names, ...names].slice(first, first + Math.min(count, names.length))
}
