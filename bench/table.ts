import { type Budget, type Row, type Unit, verdict } from './row.ts'

const columns = ['what', 'measured', 'yardstick', 'ratio', 'budget', 'verdict'] as const

/** Returns the rows as a table that is readable in a terminal and valid Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = [[...columns], ...rows.map(cells)]
  const widths = columns.map((_, column) => Math.max(...lines.map(line => line[column]!.length)))
  const print = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const [head, ...body] = lines.map(print)
  return [head, `|${widths.map(width => '-'.repeat(width + 2)).join('|')}|`, ...body].join('\n')
}

function cells(row: Row): string[] {
  const { what, unit, budget, figures, skipped } = row
  if (!figures) return [what, skipped ?? '', '', '', budgetText(budget, unit), verdict(row)]
  const worse = budget.atLeast !== undefined ? Math.floor : Math.ceil
  const { measured, yardstick, ratio } = figures
  return [
    what,
    withUnit(measured, unit, worse),
    yardstick === undefined ? '' : withUnit(yardstick, unit, Math.round),
    ratio === undefined ? '' : ratioText(ratio, budget, worse),
    budgetText(budget, unit),
    verdict(row),
  ]
}

type Rounding = (value: number) => number

/** Rounds to three digits in the given direction: figures of the subject are rounded to its disadvantage. */
function withUnit(value: number, unit: Unit, round: Rounding): string {
  const step = 10 ** (Math.floor(Math.log10(Math.max(value, 0.001))) - 2)
  const rounded = round(value / step + (round === Math.round ? 0 : round === Math.ceil ? -1e-9 : 1e-9)) * step
  const digits = Math.max(0, -Math.round(Math.log10(step)))
  return `${rounded.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`
}

/** Returns a percentage if more is better, and a multiple if less is better. */
function ratioText(ratio: number, { atLeast }: Budget, round: Rounding): string {
  return atLeast === undefined ? `${(round(ratio * 100) / 100).toFixed(2)} ×` : `${round(ratio * 100)} %`
}

function budgetText({ of, atLeast, atMost, wish }: Budget, unit: Unit): string {
  if (atLeast !== undefined) return `≥ ${atLeast * 100} %${wish === undefined ? '' : ` (wish ${wish * 100} %)`}`
  return of === 'ratio' ? `≤ ${atMost} ×` : `≤ ${atMost} ${unit}`
}
