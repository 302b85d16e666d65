import { startDrainer } from '../client/drainer.ts'
import { type Machine, openMachine } from '../client/machine.ts'
import type { Decided, Drained } from '../client/outbox.ts'
import type { Refused } from '../client/refusals.ts'
import { reportWrongHub } from '../client/wrong-hub.ts'
import { refusedText } from '../mcp/tools.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { hintText } from './output.ts'

/**
 * Runs `work` as this machine, and sends meanwhile what waits in its outbox: neither holds up the other. Says afterwards what
 * went, what was refused and what waits still: to people behind the answer, otherwise (with `--json`, or when `work` throws) on
 * stderr. A separate process sends what still waits.
 */
export async function asMachine(
  { json }: { json?: boolean },
  work: (machine: Machine) => Promise<void>,
): Promise<void> {
  const machine = openMachine()
  const drained = machine.outbox.drain()
  // A failure is reported where this is awaited, below, not as an unhandled rejection before.
  drained.catch(() => {})
  let out: NodeJS.WriteStream = process.stderr
  try {
    await work(machine)
    if (!json) out = process.stdout
  } finally {
    await close(machine, () => drained, out)
  }
}

/** Reports the result of `drained`, if anything was sent or refused, and closes the machine. */
export async function close(
  machine: Machine,
  drained: (() => Promise<Drained>) | undefined,
  out: NodeJS.WriteStream,
): Promise<void> {
  const stale = machine.client.staleness
  if (stale) process.stderr.write(`claude-net: ${stale}\n`)
  try {
    if (drained) tellDrained(machine, await drained(), out)
  } finally {
    await machine.renewed()
    await reportWrongHub(machine.home, machine.client)
    machine.client.close()
    startDrainer(machine.home)
  }
}

/** Says what came of an attempt to send what waited. Nothing where nothing did. */
export function tellDrained(machine: Pick<Machine, 'outbox'>, drained: Drained, out: NodeJS.WriteStream): void {
  for (const line of drainedLines(drained, machine.outbox.refusals.takeToPrint())) out.write(`${line}\n`)
}

/** Describes the result of an attempt to send what waited, with `others` that were refused earlier, a line each. */
export function drainedLines({ decided, waiting, why }: Drained, others: Refused[] = []): string[] {
  const refused = new Map(others.map(each => [each.id, each]))
  const sent: Decided['to'][] = []
  const later: Decided['to'][] = []
  for (const [id, { to, outcome }] of decided) {
    if (outcome instanceof ClaudeNetError) refused.set(id, { id, to, error: outcome })
    else (outcome.at === undefined ? sent : later).push(to)
  }
  const many = (each: Decided['to'][]) => count(each.length, 'message')
  const whom = (each: Decided['to'][]) => visibleLine([...new Set(each.flat())].join(', '), 200)
  return [
    ...(sent.length > 0 ? [`Sent ${many(sent)} that waited for the hub (to ${whom(sent)}).`] : []),
    ...(later.length > 0 ? [`Stored ${many(later)} for later that waited for the hub (to ${whom(later)}).`] : []),
    ...[...refused.values()].map(each => hintText(refusedText(each))),
    ...(waiting > 0
      ? [`${count(waiting, 'message')} ${waiting === 1 ? 'waits' : 'wait'} still: ${visibleLine(why, 300)}`]
      : []),
  ]
}
