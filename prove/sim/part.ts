import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Failure, type PartResult, type Row, violationColumn } from '../part.ts'
import { drawPlan, faultNames, type Plan } from './faults.ts'
import { memoryDir } from './memory-dir.ts'
import { shrink } from './shrink.ts'
import { type Report, Simulator } from './simulate.ts'

/** One in so many rounds is played twice: both must have the same schedule. */
const repeatEvery = 25

/** Most failures that are shrunk; what else fails is counted. */
const maxShrunk = 3

/** How often the progress is told, in ms. */
const sayEveryMs = 5000

export interface SimOptions {
  /** The first seed; the next rounds have the next ones. */
  seed: number
  rounds: number
  /** One plan instead of seeds. */
  plan?: Plan
  /** Says how far it is. */
  say: (text: string) => void
  /** Whether to look for a shorter plan that fails too. */
  shrinks: boolean
}

/** Plays simulations, and counts what they came to. */
export async function runSimulations({ seed, rounds, plan, say, shrinks }: SimOptions): Promise<PartResult> {
  const simulator = new Simulator(memoryDir())
  const rows = new Map<string, Row>()
  const failures: Failure[] = []
  const began = performance.now()
  let saidAt = began
  const usedBefore = process.cpuUsage()
  const total = { histories: 0, acknowledged: 0, operations: 0, steps: 0, simulatedMs: 0, kills: 0, repeated: 0 }
  const names: readonly string[] = ['none', ...faultNames, 'all']
  try {
    const plans = plan ? [plan] : seeds(seed, rounds)
    for (const each of plans) {
      const report = await simulator.run(each)
      count(report, rows, total)
      if (report.violations.length > 0) {
        const isShrunk = shrinks && failures.length < maxShrunk
        if (isShrunk) say(`seed ${each.seed} fails; looking for less that fails as well`)
        const least = isShrunk ? await shrink(simulator, report, say) : report
        failures.push(failureOf(least, each, shrinks))
      } else if (plan || total.histories % repeatEvery === 1) {
        total.repeated++
        const again = await simulator.run(each)
        if (again.digest !== report.digest) {
          const what = `seed ${each.seed} had the schedule ${report.digest}, and then ${again.digest}: it cannot be repeated`
          failures.push({ what, repeat: repeatOf(each) })
        }
      }
      if (performance.now() - saidAt > sayEveryMs) {
        saidAt = performance.now()
        const perMinute = Math.round((total.histories / (saidAt - began)) * 60_000)
        say(`${total.histories} histories, ${perMinute} a minute, ${failures.length} failures`)
      }
    }
  } finally {
    simulator.close()
  }
  const seconds = (performance.now() - began) / 1000
  const perMinute = Math.round((total.histories / seconds) * 60)
  const used = process.cpuUsage(usedBefore)
  const processorSeconds = Number(((used.user + used.system) / 1e6).toFixed(1))
  return {
    name: 'sim',
    summary:
      `${total.histories} histories of ${total.operations} operations in ${seconds.toFixed(1)} s (${perMinute} a minute; ${processorSeconds} s of processor time, ` +
      `${Math.round(total.simulatedMs / 60_000)} simulated minutes, ${total.kills} crashes of hubs); ` +
      `${total.repeated} were played twice and had the same schedule`,
    rows: names.flatMap(name => rows.get(name) ?? []),
    failures,
    figures: {
      ...total,
      seconds: Number(seconds.toFixed(1)),
      processorSeconds,
      perMinute,
      firstSeed: plan?.seed ?? seed,
    },
  }
}

function* seeds(first: number, rounds: number): Generator<Plan> {
  for (let seed = first; seed < first + rounds; seed++) yield drawPlan(seed)
}

function count(report: Report, rows: Map<string, Row>, total: Record<string, number>): void {
  const { counts, struck, violations } = report
  total.histories!++
  total.acknowledged! += counts.acknowledged
  total.operations! += counts.operations
  total.steps! += counts.steps
  total.simulatedMs! += counts.simulatedMs
  total.kills! += counts.starts - report.plan.hubs
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

function emptyRow(fault: string): Row {
  return { fault, rounds: 0, strikes: 0, acknowledged: 0, lost: 0, twice: 0, reordered: 0, lied: 0 }
}

/** Says what failed and how to see it again; with `keeps` its plan and history are written down. */
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
