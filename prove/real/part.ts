import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Failure, type PartResult, type Row, type Skipped, violationColumn } from '../part.ts'
import { chanceOf } from '../sim/random.ts'
import type { Fault, Round, RoundResult } from './fault.ts'
import { faults } from './faults/all.ts'
import { whyNot } from './needs.ts'

export interface RealOptions {
  /** Seed of the first round of each fault; later rounds count up from it. */
  seed: number
  /** Number of rounds of each fault; undefined for as many as fit into `budgetMs`, in turn, at least one each. */
  rounds?: number
  budgetMs: number
  /** Names of faults; undefined for all. */
  only?: string[]
  /** Whether only quick faults are played. */
  isQuick?: boolean
  /** Time for which the faults of one round may strike, in ms. */
  harmMs: number
  say: (text: string) => void
}

/** Plays the faults against real hubs and clients, and counts the outcomes. */
export async function runReal(options: RealOptions): Promise<PartResult> {
  const { seed, rounds, budgetMs, only, isQuick, harmMs, say } = options
  const began = performance.now()
  const chosen = faults.filter(fault => (only ? only.includes(fault.name) : !isQuick || fault.isQuick))
  const skipped: Skipped[] = []
  const playable = chosen.filter(({ name, needs }) => {
    const why = needs.map(whyNot).find(Boolean)
    if (why !== undefined) skipped.push({ fault: name, why })
    return why === undefined
  })
  const rows = new Map<string, Row>(playable.map(({ name }) => [name, emptyRow(name)]))
  const failures: Failure[] = []
  const isOver = (round: number) =>
    rounds === undefined ? round > 0 && performance.now() - began > budgetMs : round >= rounds
  for (let round = 0; !isOver(round); round++) {
    for (const fault of playable) {
      if (isOver(round)) break
      const at = { seed: seed + round, harmMs, say }
      const { row, failure, ms } = await play(fault, at)
      add(rows.get(fault.name)!, row)
      if (failure) failures.push(failure)
      const counts = `${row.strikes} strikes, ${row.acknowledged} acknowledged, ${(ms / 1000).toFixed(1)} s`
      say(`${fault.name} seed ${seed + round}: ${failure ? 'FAILED' : 'ok'} (${counts})`)
    }
  }
  const all = [...rows.values()]
  const total = (name: 'rounds' | 'strikes' | 'acknowledged') => all.reduce((sum, row) => sum + row[name], 0)
  const seconds = (performance.now() - began) / 1000
  return {
    name: 'real',
    summary:
      `${total('rounds')} rounds of ${all.length} faults with real processes in ${seconds.toFixed(1)} s: ` +
      `${total('strikes')} strikes, ${total('acknowledged')} sends acknowledged`,
    rows: all,
    skipped,
    failures,
    figures: { seconds: Number(seconds.toFixed(1)), firstSeed: seed, ...{ rounds: total('rounds') } },
  }
}

async function play(
  fault: Fault,
  at: Pick<Round, 'seed' | 'harmMs' | 'say'>,
): Promise<{ row: Row; failure?: Failure; ms: number }> {
  const { seed } = at
  const began = performance.now()
  const dir = mkdtempSync(join(tmpdir(), `claude-net-prove-${fault.name}-${seed}-`))
  const ends: (() => unknown)[] = []
  let strikes = 0
  const round: Round = {
    ...at,
    dir,
    random: chanceOf(seed, fault.name),
    strike: () => void strikes++,
    defer: end => void ends.push(end),
  }
  let result: RoundResult
  try {
    result = await fault.run(round)
  } catch (error) {
    const text = `the round itself went wrong: ${(error as Error).stack ?? String(error)}`
    result = { acknowledged: 0, violations: [{ kind: 'broken', text }] }
  }
  for (const end of ends.reverse()) {
    try {
      await end()
    } catch (error) {
      result.violations.push({ kind: 'broken', text: `the round did not end: ${String(error)}` })
    }
  }
  const row: Row = { ...emptyRow(fault.name), rounds: 1, strikes, acknowledged: result.acknowledged }
  if (result.worstMs !== undefined) row.worstMs = result.worstMs
  for (const { kind } of result.violations) row[violationColumn[kind]]++
  const ms = performance.now() - began
  if (result.violations.length === 0) {
    rmSync(dir, { recursive: true, force: true })
    return { row, ms }
  }
  const said = result.violations.map(({ kind, text }) => `${kind}: ${text}`)
  writeFileSync(join(dir, 'violations.txt'), `${said.join('\n')}\n`)
  const more = said.length > 5 ? [`  and ${said.length - 5} more`] : []
  const lines = [
    `${fault.name}, seed ${seed}:`,
    ...said.slice(0, 5).map(each => `  ${each}`),
    ...more,
    `  the history, the logs and the store are in ${dir}`,
  ]
  return {
    row,
    ms,
    failure: { what: lines.join('\n'), repeat: `npm run prove -- --fault ${fault.name} --seed ${seed} --rounds 1` },
  }
}

function emptyRow(fault: string): Row {
  return { fault, rounds: 0, strikes: 0, acknowledged: 0, lost: 0, twice: 0, reordered: 0, lied: 0 }
}

function add(sum: Row, row: Row): void {
  for (const name of ['rounds', 'strikes', 'acknowledged', 'lost', 'twice', 'reordered', 'lied'] as const)
    sum[name] += row[name]
  if (row.worstMs !== undefined) sum.worstMs = Math.max(sum.worstMs ?? 0, row.worstMs)
}
