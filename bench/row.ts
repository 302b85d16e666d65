import type { Comparison } from './compare.ts'

export type Unit = 'sends/s' | 'reads/s' | 'ms' | 's' | 'MB' | '% of a core' | 'tokens'

/** A promised limit. `of` names the figure that it applies to. */
export interface Budget {
  of: 'ratio' | 'measured'
  atLeast?: number
  atMost?: number
  /** A stricter limit that is desired, but not promised. */
  wish?: number
}

/** One line of the table: figures, or the reason why there are none. */
export interface Row {
  what: string
  budget: Budget
  unit: Unit
  figures?: Figures
  /** Reason why this machine could not measure it. */
  skipped?: string
}

export interface Figures {
  measured: number
  yardstick?: number
  ratio?: number
  /** All rounds from which the medians were taken. */
  rounds?: Comparison['rounds']
}

export function toFigures({ subject, yardstick, ratio, rounds }: Comparison): Figures {
  return { measured: subject, yardstick, ratio, rounds }
}

/** Reports whether the figures as measured, before rounding, keep the budget. */
export function verdict({ budget, figures }: Row): 'met' | 'met, not the wish' | 'MISSED' | 'not measured' {
  const value = budget.of === 'ratio' ? figures?.ratio : figures?.measured
  if (value === undefined || Number.isNaN(value)) return 'not measured'
  const { atLeast = -Infinity, atMost = Infinity, wish } = budget
  if (value < atLeast || value > atMost) return 'MISSED'
  return wish !== undefined && value < wish ? 'met, not the wish' : 'met'
}
