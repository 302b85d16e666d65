import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, type Pair, timeInTurn } from '../compare.ts'
import { Connection, expectStored } from '../connection.ts'
import { quantile } from '../load.ts'
import { sendsOf } from '../messages.ts'
import type { Process } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'
import { Stream } from '../stream.ts'

/** Pause between two sends, in ms: the latency of a single message is measured. */
const paceMs = 5

/**
 * Measures the time from the first byte of a send to its event on the recipient's stream, against the same path through the plain server.
 */
export async function eventLatency(bench: Bench): Promise<Row[]> {
  const { rounds, count } = bench.quick ? { rounds: 3, count: 100 } : { rounds: 5, count: 250 }
  await using pairing = await bench.startPairing(2)
  const [sender, recipient] = pairing.members as [Member, Member]
  const hub = await openHop(pairing.hub, sender, recipient)
  const plain = await openHop(pairing.plain, sender, recipient)
  await timeInTurn(count, hub.time, plain.time)
  const p50: Pair[] = []
  const p99: Pair[] = []
  for (let round = 0; round < rounds; round++) {
    const times = await timeInTurn(count, hub.time, plain.time)
    const at = (share: number) => ({
      subject: quantile(times.subject, share),
      yardstick: quantile(times.yardstick, share),
    })
    p50.push(at(0.5))
    p99.push(at(0.99))
    bench.say(
      `round ${round + 1} of ${rounds}: p50 ${at(0.5).subject.toFixed(2)} to ${at(0.5).yardstick.toFixed(2)} ms`,
    )
  }
  hub.close()
  plain.close()
  const row = { budget: { of: 'ratio' as const, atMost: 2 }, unit: 'ms' as const }
  return [
    { what: "send → recipient's event, p50", ...row, figures: toFigures(comparison(p50)) },
    { what: "send → recipient's event, p99", ...row, figures: toFigures(comparison(p99)) },
  ]
}

async function openHop({ port }: Process, sender: Member, recipient: Member) {
  const stream = await Stream.open(port, recipient)
  const connection = await Connection.open(port)
  const nextSend = sendsOf(sender, recipient.name)
  return {
    time: async () => {
      await delay(paceMs)
      const send = nextSend()
      const id = /"id":"([^"]+)"/.exec(send)![1]!
      let answered: Promise<void> = Promise.resolve()
      const ms = await elapsedMs(() => {
        const event = stream.next(id)
        answered = connection.ask(send).then(expectStored)
        return Promise.race([event, answered.then(() => event)])
      })
      await answered
      return ms
    },
    close: () => {
      stream.close()
      connection.close()
    },
  }
}
