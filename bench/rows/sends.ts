import type { Bench, Pairing } from '../bench.ts'
import { comparison, measureInTurn } from '../compare.ts'
import { runLoad } from '../load.ts'
import { sendsOf } from '../messages.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'

/** Sends that the hub has synced to disk, at 1, 32 and 128 connections, against the plain server. */
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
  }
  return rows
}

/** Rounds of the same load on both, after one that warms both up. */
export async function compareSends(
  bench: Bench,
  connections: number,
  { hub, plain, members }: Pick<Pairing, 'hub' | 'plain' | 'members'>,
) {
  const { rounds, seconds } = bench.quick ? { rounds: 3, seconds: 0.3 } : { rounds: 9, seconds: 0.8 }
  const next = sendsInCircle(members)
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

/** Connection n speaks for member n, who writes to the member after it. */
export function sendsInCircle(members: readonly Member[]): (connection: number) => string {
  const sends = members.map((member, index) => sendsOf(member, members[(index + 1) % members.length]!.name))
  return connection => sends[connection % sends.length]!()
}
