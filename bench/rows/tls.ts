import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { dialPlain, dialTls } from '../dial.ts'
import type { Row } from '../row.ts'
import { openSessions, watchCpu } from './idle-cpu.ts'

/** Measures the cost of TLS: memory and CPU time of a hub with a thousand idle sessions over TLS, against one with as many without. */
export async function overTls(bench: Bench): Promise<Row[]> {
  const count = bench.quick ? 100 : 1000
  const seconds = bench.quick ? 2 : 15
  await using secure = await bench.startPairing(count)
  await using plain = await bench.startPairing(count)
  bench.say(`opening ${count} sessions on both`)
  const sessionsOf = ({ hub: { port }, members }: typeof plain, dial: typeof dialTls) =>
    members.map(member => ({ port, member, dial }))
  const sessions = await openSessions([...sessionsOf(secure, dialTls), ...sessionsOf(plain, dialPlain)])
  await delay(bench.quick ? 200 : 1500)
  const memory = [secure.hub.residentMB, plain.hub.residentMB] as const
  const cpu = (await watchCpu(bench, [secure.hub, plain.hub], sessions, seconds)) as [number, number]
  for (const session of sessions) session.close()
  const crowd = `${count.toLocaleString('en-US')} idle sessions over TLS`
  return [
    { what: `hub memory with ${crowd}`, budget: { of: 'ratio', atMost: 2 }, unit: 'MB', figures: figuresOf(memory) },
    { what: `CPU with ${crowd}`, budget: { of: 'ratio', atMost: 1.5 }, unit: '% of a core', figures: figuresOf(cpu) },
  ]
}

function figuresOf([measured, yardstick]: readonly [number, number]) {
  return { measured, yardstick, ratio: measured / yardstick }
}
