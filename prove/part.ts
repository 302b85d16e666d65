import type { Kind } from './checker/check.ts'

/** One line of the final table: the results of all rounds in which a fault struck. */
export interface Row {
  fault: string
  rounds: number
  /** Number of times that it struck. */
  strikes: number
  /** Sends acknowledged as stored. */
  acknowledged: number
  /** Messages, acks and notices that were lost. */
  lost: number
  twice: number
  reordered: number
  /** Messages that were forged or changed, wrong receipts, and all other broken promises. */
  lied: number
  /** Longest time in ms from a fault until the interrupted work continued; undefined where that was not measured. */
  worstMs?: number
}

/** A reproducible failure. */
export interface Failure {
  what: string
  /** The command that reproduces it. */
  repeat: string
}

/** A fault that could not be tried on this machine. */
export interface Skipped {
  fault: string
  why: string
}

/**
 * Column of the table in which a violation counts. `stuck` is an operation that never ended, `broken` an error of the program or of the
 * round itself, `diverged` hubs whose content differs.
 */
export const violationColumn: Record<Kind | 'broken' | 'stuck' | 'diverged', 'lost' | 'twice' | 'reordered' | 'lied'> =
  {
    lost: 'lost',
    'lost ack': 'lost',
    untold: 'lost',
    stuck: 'lost',
    twice: 'twice',
    'told twice': 'twice',
    reordered: 'reordered',
    'not linearizable': 'reordered',
    phantom: 'lied',
    forged: 'lied',
    changed: 'lied',
    receipt: 'lied',
    count: 'lied',
    broken: 'lied',
    diverged: 'lied',
  }

/** Result of one part of the proof. */
export interface PartResult {
  name: string
  /** One sentence: number of trials and duration. */
  summary: string
  rows: Row[]
  failures: Failure[]
  skipped?: Skipped[]
  /** Figures for `--json`. */
  figures: Record<string, number | string>
}

const columns = [
  ['fault', (row: Row) => row.fault],
  ['rounds', (row: Row) => String(row.rounds)],
  ['strikes', (row: Row) => String(row.strikes)],
  ['acknowledged', (row: Row) => String(row.acknowledged)],
  ['lost', (row: Row) => String(row.lost)],
  ['twice', (row: Row) => String(row.twice)],
  ['reordered', (row: Row) => String(row.reordered)],
  ['lied', (row: Row) => String(row.lied)],
  ['worst recovery', (row: Row) => (row.worstMs === undefined ? '' : `${(row.worstMs / 1000).toFixed(1)} s`)],
] as const

/** The rows as a table in Markdown. */
export function table(rows: readonly Row[]): string {
  const cells = [columns.map(([title]) => title as string), ...rows.map(row => columns.map(([, cell]) => cell(row)))]
  const widths = columns.map((_, at) => Math.max(...cells.map(line => line[at]!.length)))
  const lines = cells.map(
    line =>
      `| ${line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(' | ')} |`,
  )
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [lines[0], rule, ...lines.slice(1)].join('\n')
}
