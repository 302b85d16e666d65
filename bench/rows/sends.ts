import type { Bench, Pairing } from '../bench.ts'
import { comparison, measureInTurn } from '../compare.ts'
import { runLoad } from '../load.ts'
import { sendsOf } from '../messages.ts'
import { startYardstick } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'

/** Number of members that each member writes to. */
const correspondents = 16

/** Measures sends that the hub syncs to disk, at 1, 32 and 128 connections, against the plain server. */
export async function sends(bench: Bench): Promise<Row[]> {
  const rows: Row[] = []
  for (const connections of [1, 32, 128]) {
    await using pairing = await bench.startPairing(128)
    const budget = connections === 1 ? { atLeast: 0.25, wish: 0.36 } : { atLeast: 0.4, wish: 0.7 }
    rows.push({
      what: `fsynced sends, ${connections} connection${connections === 1 ? '' : 's'}`,
      budget: { of: 'ratio', ...budget },
      unit: 'sends/s',
      figures: toFigures(await compareSends(bench, connections, pairing)),
    })
    await using log = await startYardstick('append-log.ts', [bench.freshPath('append-log')])
    rows.push({
      what: `the same (yardstick: plain HTTP with a shared fdatasync), ${connections}`,
      budget: { of: 'ratio', atLeast: { 1: 0.9, 32: 0.85, 128: 0.7 }[connections]! },
      unit: 'sends/s',
      figures: toFigures(await compareSends(bench, connections, { ...pairing, plain: log })),
    })
  }
  return rows
}

/** Measures rounds of the same load on both, after a warm-up of each. */
export async function compareSends(
  bench: Bench,
  connections: number,
  { hub, plain, members }: Pick<Pairing, 'hub' | 'plain' | 'members'>,
) {
  const { rounds, seconds } = bench.quick ? { rounds: 3, seconds: 0.3 } : { rounds: 9, seconds: 0.8 }
  const next = sendsAround(members)
  const rate = async (port: number, length: number) =>
    (await runLoad({ port, connections, seconds: length, warmUpSeconds: 0.15, next })).perSecond
  await rate(plain.port, seconds * 2)
  await rate(hub.port, seconds * 2)
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    const pair = await measureInTurn(
      round,
      () => rate(hub.port, seconds),
      () => rate(plain.port, seconds),
    )
    bench.say(
      `${connections} connections, round ${round + 1} of ${rounds}: ${pair.subject | 0} of ${pair.yardstick | 0}/s`,
    )
    pairs.push(pair)
  }
  return comparison(pairs)
}

/**
 * Returns the next request of connection n: a send of member n to others in turn. The recipients are spread evenly over the members, so
 * that all inboxes fill equally: one accepts at most 10,000 unread messages.
 */
export function sendsAround(members: readonly Member[]): (connection: number) => string {
  const count = Math.min(correspondents, members.length - 1)
  const step = Math.max(1, Math.floor(members.length / correspondents))
  const sends = members.map((member, index) =>
    Array.from({ length: count }, (_, at) => sendsOf(member, members[(index + 1 + at * step) % members.length]!.name)),
  )
  const turns = members.map(() => 0)
  return connection => {
    const index = connection % members.length
    return sends[index]![turns[index]!++ % count]!()
  }
}
