/** One line of a chart, with a value or a gap for each of its times. */
export interface ChartLine {
  name: string
  values: readonly (number | null)[]
  tone: 'accent' | 'info' | 'warn' | 'soft'
  look: 'bars' | 'line' | 'area'
}

/** Unit of a chart's values. */
export type ChartUnit = 'count' | 'ms' | 's'
