import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Failure, type PartResult, type Row, violationColumn } from '../part.ts'
import { emptyRow, maxListed, type Progress, summed } from '../summary.ts'
import { drawPlan, type Plan } from './faults.ts'
import { memoryDir } from './memory-dir.ts'
import { shrink } from './shrink.ts'
import { type Report, Simulator } from './simulate.ts'

/** One in this many rounds is played twice: both must have the same schedule. */
const repeatEvery = 25

/** Maximum number of failures that are shrunk. */
const maxShrunk = 3

export interface SimOptions {
  /** First seed; each round adds `step` to it. */
  seed: number
  step: number
  /** Number of rounds; Infinity for a run that ends by `signal`. */
  rounds: number
  /** A single plan instead of seeds. */
  plan?: Plan
  /** Ends the run after the current round. */
  signal: AbortSignal
  say: (text: string) => void
  /** Called with the figures so far after each round. */
  onRound: (progress: Progress) => void
  /** Whether to search for a smaller plan that fails too, and to write failures to disk. */
  shrinks: boolean
}

interface Total {
  histories: number
  acknowledged: number
  operations: number
  steps: number
  simulatedMs: number
  kills: number
  repeated: number
  /** Inboxes whose search for an order was given up. */
  undecided: number
  failed: number
}

/** Plays simulations, and counts their results. */
export async function runSimulations(options: SimOptions): Promise<PartResult> {
  const { seed, plan, signal, onRound } = options
  const simulator = new Simulator(memoryDir())
  const rows = new Map<string, Row>()
  const failures: Failure[] = []
  const began = performance.now()
  const usedBefore = process.cpuUsage()
  const total: Total = {
    histories: 0,
    acknowledged: 0,
    operations: 0,
    steps: 0,
    simulatedMs: 0,
    kills: 0,
    repeated: 0,
    undecided: 0,
    failed: 0,
  }
  try {
    for (const each of plan ? [plan] : seeds(options)) {
      if (signal.aborted) break
      const report = await simulator.run(each)
      count(report, rows, total)
      const failure = await judged(simulator, report, total, options)
      if (failure) {
        total.failed++
        if (failures.length < maxListed) failures.push(failure)
      }
      onRound({ histories: total.histories, failures: total.failed })
    }
  } finally {
    simulator.close()
  }
  const seconds = (performance.now() - began) / 1000
  const used = process.cpuUsage(usedBefore)
  const figures = {
    ...total,
    simulatedMs: Math.round(total.simulatedMs),
    seconds: Number(seconds.toFixed(1)),
    processorSeconds: Number(((used.user + used.system) / 1e6).toFixed(1)),
    firstSeed: plan?.seed ?? seed,
  }
  return {
    name: 'sim',
    ...summed([{ name: 'sim', summary: '', rows: [...rows.values()], failures, figures }], seconds),
  }
}

function* seeds({ seed, step, rounds }: SimOptions): Generator<Plan> {
  for (let round = 0; round < rounds; round++) yield drawPlan(seed + round * step)
}

/** Checks a round and returns its failure, if any. Some of the rounds that passed are played again to compare their schedules. */
async function judged(
  simulator: Simulator,
  report: Report,
  total: Total,
  { plan, shrinks, say }: SimOptions,
): Promise<Failure | undefined> {
  const drawn = report.plan
  if (report.violations.length > 0) {
    const failure = failureOf(report, drawn, shrinks)
    if (!shrinks) return failure
    // Printed immediately: a long run may be ended before it prints its result.
    say(`FAILED ${failure.what}\n  ${failure.repeat}`)
    if (total.failed >= maxShrunk) return failure
    say(`shrinking the failure of seed ${drawn.seed}`)
    return failureOf(await shrink(simulator, report, say), drawn, shrinks)
  }
  if (!plan && total.histories % repeatEvery !== 1) return undefined
  total.repeated++
  const again = await simulator.run(drawn)
  if (again.digest === report.digest) return undefined
  const what = `seed ${drawn.seed} had the schedule ${report.digest}, and then ${again.digest}: it cannot be repeated`
  return { what, repeat: repeatOf(drawn) }
}

function count(report: Report, rows: Map<string, Row>, total: Total): void {
  const { counts, struck, violations } = report
  total.histories++
  total.acknowledged += counts.acknowledged
  total.operations += counts.operations
  total.steps += counts.steps
  total.simulatedMs += counts.simulatedMs
  total.undecided += counts.undecided
  total.kills += counts.starts - report.plan.hubs
  const strikes = new Map<string, number>([['all', struck.length]])
  for (const { name } of struck) strikes.set(name, (strikes.get(name) ?? 0) + 1)
  if (struck.length === 0) strikes.set('none', 0)
  for (const [fault, times] of strikes) {
    const row = rows.get(fault) ?? emptyRow(fault)
    rows.set(fault, row)
    row.rounds++
    row.strikes += times
    row.acknowledged += counts.acknowledged
    for (const { kind } of violations) row[violationColumn[kind]]++
    row.worstMs = Math.max(row.worstMs ?? 0, counts.worstSendMs)
  }
}

/** Returns a failure and the command that reproduces it; with `keeps`, writes its plan and history to disk. */
function failureOf(report: Report, drawn: Plan, keeps: boolean): Failure {
  const kinds = report.violations.map(({ kind, text }) => `  ${kind}: ${text}`)
  const shown = kinds.slice(0, 5).concat(kinds.length > 5 ? [`  and ${kinds.length - 5} more`] : [])
  const faults = report.struck.map(({ name, at }) => `${name} at ${Math.round(at)} ms`)
  const lines = [
    `seed ${drawn.seed}, schedule ${report.digest}:`,
    ...shown,
    `  faults: ${faults.slice(0, 12).join(', ') || 'none'}${faults.length > 12 ? `, and ${faults.length - 12} more` : ''}`,
  ]
  if (!keeps) return { what: lines.join('\n'), repeat: repeatOf(drawn) }
  const dir = mkdtempSync(join(tmpdir(), `claude-net-prove-${drawn.seed}-`))
  const planFile = join(dir, 'plan.json')
  writeFileSync(planFile, `${JSON.stringify(report.plan, null, 2)}\n`)
  report.history.save(join(dir, 'history.jsonl'))
  lines.push(`  the plan and the history are in ${dir}`)
  return { what: lines.join('\n'), repeat: `${repeatOf(drawn)}\n  npm run prove -- --sim --plan ${planFile}` }
}

function repeatOf({ seed }: Plan): string {
  return `npm run prove -- --sim --seed ${seed} --rounds 1`
}
