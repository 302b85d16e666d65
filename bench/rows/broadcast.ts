import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, timeInTurn } from '../compare.ts'
import { Connection, expectStored } from '../connection.ts'
import { quantile } from '../load.ts'
import { sendsOf } from '../messages.ts'
import type { Process } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'

const recipients = 100

/** Measures one request that stores one delivery for each of 100 members. The plain server stores the text once: for scale only. */
export async function broadcast(bench: Bench): Promise<Row[]> {
  const { rounds, count } = bench.quick ? { rounds: 3, count: 50 } : { rounds: 7, count: 150 }
  await using pairing = await bench.startPairing(recipients + 1)
  const [sender] = pairing.members as [Member]
  const hub = await openSender(pairing.hub, sender)
  const plain = await openSender(pairing.plain, sender)
  await timeInTurn(count * 2, hub.time, plain.time)
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    const times = await timeInTurn(count, hub.time, plain.time)
    const pair = { subject: quantile(times.subject, 0.5), yardstick: quantile(times.yardstick, 0.5) }
    bench.say(`round ${round + 1} of ${rounds}: ${pair.subject.toFixed(2)} to ${pair.yardstick.toFixed(2)} ms`)
    pairs.push(pair)
  }
  hub.close()
  plain.close()
  return [
    {
      what: `broadcast to ${recipients}, one request`,
      budget: { of: 'measured', atMost: 1 },
      unit: 'ms',
      figures: toFigures(comparison(pairs)),
    },
  ]
}

async function openSender({ port }: Process, sender: Member) {
  const connection = await Connection.open(port)
  const next = sendsOf(sender, 'all')
  return {
    time: () => elapsedMs(async () => expectStored(await connection.ask(next()))),
    close: () => connection.close(),
  }
}
