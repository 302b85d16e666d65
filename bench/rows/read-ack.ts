import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, timeInTurn } from '../compare.ts'
import { Connection, expectSuccess } from '../connection.ts'
import { quantile, request, sendAll } from '../load.ts'
import { sendsOf } from '../messages.ts'
import type { Process } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'

const unread = 100

/**
 * Measures reads of a hundred unread messages in one response and their acks in one request, against 100 texts and a POST of the plain
 * server.
 */
export async function readAndAck(bench: Bench): Promise<Row[]> {
  const { rounds, count } = bench.quick ? { rounds: 3, count: 5 } : { rounds: 7, count: 20 }
  await using pairing = await bench.startPairing(2)
  const [sender, reader] = pairing.members as [Member, Member]
  const hub = await openReader(pairing.hub, sender, reader)
  const plain = await openReader(pairing.plain, sender, reader)
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
      what: `read + ack of ${unread} unread`,
      budget: { of: 'ratio', atMost: 2.5 },
      unit: 'ms',
      figures: toFigures(comparison(pairs)),
    },
  ]
}

async function openReader({ port }: Process, sender: Member, reader: Member) {
  const connection = await Connection.open(port)
  const next = sendsOf(sender, reader.name)
  const read = request('GET', '/v1/inbox', reader.token)
  return {
    time: async () => {
      await sendAll(port, 8, unread, next)
      return elapsedMs(async () => {
        const inbox = await connection.ask(read)
        expectSuccess(inbox)
        const { messages } = JSON.parse(inbox.body) as { messages: { id: string }[] }
        if (messages.length !== unread) throw new Error(`${messages.length} unread messages came, not ${unread}.`)
        const ids = messages.map(({ id }) => id)
        expectSuccess(await connection.ask(request('POST', '/v1/inbox/ack', reader.token, { ids })))
      })
    },
    close: () => connection.close(),
  }
}
