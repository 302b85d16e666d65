import { setTimeout as delay } from 'node:timers/promises'
import type { Bench, Pairing } from '../bench.ts'
import { sendAll } from '../load.ts'
import type { Row } from '../row.ts'
import { Stream } from '../stream.ts'
import { sendsAround } from './sends.ts'

/** Measures the resident memory of the hub, against that of the plain server under the same load. */
export async function memory(bench: Bench): Promise<Row[]> {
  const streams = bench.quick ? 200 : 1000
  const messages = bench.quick ? 10_000 : 100_000
  const rows: Row[] = []
  {
    await using pairing = await bench.startPairing(streams)
    rows.push(await memoryRow(bench, 'hub memory at rest', pairing, 80))
    const opened: Stream[] = []
    for (const { port } of [pairing.hub, pairing.plain]) {
      for (const member of pairing.members) opened.push(await Stream.open(port, member))
    }
    rows.push(await memoryRow(bench, `hub memory with ${streams.toLocaleString('en-US')} streams`, pairing, 125))
    for (const stream of opened) stream.close()
  }
  await using pairing = await bench.startPairing(128)
  for (const { port } of [pairing.hub, pairing.plain]) {
    await sendAll(port, 32, messages, sendsAround(pairing.members))
  }
  rows.push(await memoryRow(bench, `hub memory after ${messages / 1000} k messages`, pairing, 135))
  return rows
}

async function memoryRow(bench: Bench, what: string, { hub, plain }: Pairing, atMost: number): Promise<Row> {
  await delay(bench.quick ? 200 : 1500)
  const measured = hub.residentMB
  const yardstick = plain.residentMB
  bench.say(`${what}: ${measured.toFixed(0)} MB, plain ${yardstick.toFixed(0)} MB`)
  return {
    what,
    budget: { of: 'measured', atMost },
    unit: 'MB',
    figures: { measured, yardstick, ratio: measured / yardstick },
  }
}
