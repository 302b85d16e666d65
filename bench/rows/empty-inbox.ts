import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, measureInTurn, timeInTurn } from '../compare.ts'
import { Connection, expectSuccess } from '../connection.ts'
import { quantile, request, runLoad } from '../load.ts'
import { startHub } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'

/** Number of members whose inboxes hold the unread messages: one inbox accepts at most 10,000. */
const others = 100

/** Measures reads of an empty inbox on a hub with a long history, against one with a short history. */
export async function emptyInbox(bench: Bench): Promise<Row[]> {
  const { rounds, count } = bench.quick ? { rounds: 3, count: 100 } : { rounds: 7, count: 400 }
  const many = bench.full ? 1_000_000 : bench.quick ? 20_000 : 100_000
  const few = 1000
  await using large = await startWith(bench, many)
  await using small = await startWith(bench, few)
  await timeInTurn(count * 3, large.time, small.time)
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    const times = await timeInTurn(count, large.time, small.time)
    const pair = { subject: quantile(times.subject, 0.5), yardstick: quantile(times.yardstick, 0.5) }
    bench.say(`round ${round + 1} of ${rounds}: ${pair.subject.toFixed(3)} to ${pair.yardstick.toFixed(3)} ms`)
    pairs.push(pair)
  }
  return [
    {
      what: `empty inbox read, ${inWords(many)} stored (yardstick: ${inWords(few)})`,
      budget: { of: 'ratio', atMost: 1.3 },
      unit: 'ms',
      figures: toFigures(comparison(pairs)),
    },
    await readsAtOnce(bench),
  ]
}

/** Measures empty reads per second, against the plain server, which looks nothing up. */
async function readsAtOnce(bench: Bench): Promise<Row> {
  const { rounds, seconds } = bench.quick ? { rounds: 3, seconds: 0.3 } : { rounds: 7, seconds: 0.8 }
  await using pairing = await bench.startPairing(32)
  const reads = pairing.members.map(({ token }) => request('GET', '/v1/inbox', token))
  const load = { connections: reads.length, warmUpSeconds: 0.15, next: (n: number) => reads[n]!, expect: expectSuccess }
  const rate = async (port: number) => (await runLoad({ ...load, port, seconds })).perSecond
  await rate(pairing.plain.port)
  await rate(pairing.hub.port)
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    const pair = await measureInTurn(
      round,
      () => rate(pairing.hub.port),
      () => rate(pairing.plain.port),
    )
    bench.say(`round ${round + 1} of ${rounds}: ${pair.subject | 0} of ${pair.yardstick | 0} reads/s`)
    pairs.push(pair)
  }
  return {
    what: `empty inbox reads, ${reads.length} connections`,
    budget: { of: 'ratio', atLeast: 0.7 },
    unit: 'reads/s',
    figures: toFigures(comparison(pairs)),
  }
}

/** Starts a hub with `stored` messages: half were for the reader and are acked, half are unread in other inboxes. */
async function startWith(bench: Bench, stored: number) {
  bench.say(`storing ${inWords(stored)} messages`)
  const dataDir = bench.freshPath('hub')
  const [, reader] = bench.makeStore(dataDir, 2 + others, (store, [sender, reader, ...rest]) => {
    store.addMessages(sender!, reader!, stored / 2, true)
    for (const other of rest) store.addMessages(sender!, other, stored / 2 / others, false)
  }) as [Member, Member]
  const hub = await startHub(dataDir)
  const connection = await Connection.open(hub.port)
  const read = request('GET', '/v1/inbox', reader.token)
  return {
    time: () => elapsedMs(async () => expectSuccess(await connection.ask(read))),
    [Symbol.asyncDispose]: () => {
      connection.close()
      return hub[Symbol.asyncDispose]()
    },
  }
}

function inWords(count: number): string {
  return count >= 1_000_000 ? `${count / 1_000_000} M` : `${count / 1000} k`
}
