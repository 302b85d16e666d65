import type { Comparison } from './compare.ts'

export type Unit = 'sends/s' | 'reads/s' | 'ms' | 's' | 'MB' | '% of a core' | 'tokens'

/** What the design promises. `of` says which of the two figures is bound. */
export interface Budget {
  of: 'ratio' | 'measured'
  atLeast?: number
  atMost?: number
  /** What we would like, beyond what we promise. */
  wish?: number
}

/** One line of the table: figures, or why there are none. */
export interface Row {
  what: string
  budget: Budget
  unit: Unit
  figures?: Figures
  /** Why this machine could not measure it. */
  skipped?: string
}

export interface Figures {
  measured: number
  yardstick?: number
  ratio?: number
  /** What the medians were taken from. */
  rounds?: Comparison['rounds']
}

export function toFigures({ subject, yardstick, ratio, rounds }: Comparison): Figures {
  return { measured: subject, yardstick, ratio, rounds }
}

/** Whether the budget is kept, going by the figures as measured, not as printed. */
export function verdict({ budget, figures }: Row): 'met' | 'met, not the wish' | 'MISSED' | 'not measured' {
  const value = budget.of === 'ratio' ? figures?.ratio : figures?.measured
  if (value === undefined || Number.isNaN(value)) return 'not measured'
  const { atLeast = -Infinity, atMost = Infinity, wish } = budget
  if (value < atLeast || value > atMost) return 'MISSED'
  return wish !== undefined && value < wish ? 'met, not the wish' : 'met'
}
