import type { PartResult, Row } from './part.ts'
import { faultNames } from './sim/faults.ts'

/** Maximum number of failures that are listed; further ones are counted only. */
export const maxListed = 20

export interface Progress {
  histories: number
  failures: number
}

/** Sums up shares that were played concurrently: the figures in one sentence and for `--json`, and the rows. */
export function summed(shares: readonly PartResult[], seconds: number): Omit<PartResult, 'name'> {
  const sum = (name: string) => shares.reduce((total, { figures }) => total + Number(figures[name]), 0)
  const [histories, undecided, failed] = [sum('histories'), sum('undecided'), sum('failed')]
  const perMinute = Math.round((histories / seconds) * 60)
  const processorSeconds = Number(sum('processorSeconds').toFixed(1))
  const processes = shares.length > 1 ? ` in ${shares.length} processes` : ''
  const failures = shares.flatMap(share => share.failures)
  const listed = failures.slice(0, maxListed)
  return {
    summary:
      `${histories} histories of ${sum('operations')} operations in ${seconds.toFixed(1)} s (${perMinute} a minute; ${processorSeconds} s of ` +
      `processor time${processes}, ${Math.round(sum('simulatedMs') / 60_000)} simulated minutes, ${sum('kills')} crashes of hubs); ` +
      `${sum('repeated')} were played twice and had the same schedule; ${undecided} searches for an order were not decided` +
      (failed > listed.length ? `; of ${failed} that failed, ${listed.length} are listed` : ''),
    rows: sumRows(shares.flatMap(share => share.rows)),
    failures: listed,
    figures: {
      ...Object.fromEntries(
        [
          ...['histories', 'acknowledged', 'operations', 'steps', 'simulatedMs', 'kills', 'repeated', 'undecided'],
          'failed',
        ].map(name => [name, sum(name)]),
      ),
      seconds: Number(seconds.toFixed(1)),
      processorSeconds,
      perMinute,
      firstSeed: Math.min(...shares.map(({ figures }) => Number(figures.firstSeed))),
    },
  }
}

/** The order of the rows in the table. */
const rowNames: readonly string[] = ['none', ...faultNames, 'all']

function sumRows(rows: readonly Row[]): Row[] {
  const sums = new Map<string, Row>()
  for (const row of rows) {
    const sum = sums.get(row.fault)
    if (!sum) sums.set(row.fault, { ...row })
    else {
      for (const name of ['rounds', 'strikes', 'acknowledged', 'lost', 'twice', 'reordered', 'lied'] as const)
        sum[name] += row[name]
      sum.worstMs = Math.max(sum.worstMs ?? 0, row.worstMs ?? 0)
    }
  }
  return rowNames.flatMap(name => sums.get(name) ?? [])
}

export function emptyRow(fault: string): Row {
  return { fault, rounds: 0, strikes: 0, acknowledged: 0, lost: 0, twice: 0, reordered: 0, lied: 0 }
}
