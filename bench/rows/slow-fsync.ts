import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, measureInTurn } from '../compare.ts'
import { Connection, expectStored, expectSuccess } from '../connection.ts'
import { quantile, request, runLoad } from '../load.ts'
import { type Process, startHub, startYardstick } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'
import { compareSends, sendsAround } from './sends.ts'

/** Delay added to each fsync, in µs. */
const delayUs = 2000

const connections = 32

/** Number of senders besides the reader. */
const senders = 16

/** Measures sends on a disk whose syncs take 2 ms longer, as on many real disks, against an append log with a shared fdatasync. */
export async function slowFsync(bench: Bench): Promise<Row[]> {
  const row: Row = {
    what: `the same with every fsync 2 ms slower, ${connections} connections`,
    budget: { of: 'ratio', atLeast: 0.6 },
    unit: 'sends/s',
  }
  const shim = bench.freshPath('slow-fsync')
  const source = join(import.meta.dirname, '../slow-fsync.c')
  const compiled = spawnSync('gcc', ['-shared', '-fPIC', '-O2', '-o', shim, source], { encoding: 'utf8' })
  if (compiled.error) return [{ ...row, skipped: 'gcc is missing here' }]
  if (compiled.status !== 0) return [{ ...row, skipped: `gcc failed: ${compiled.stderr.trim().split('\n')[0]}` }]

  const env = { LD_PRELOAD: shim, SLOW_FSYNC_US: String(delayUs) }
  const dataDir = bench.freshPath('hub')
  // The first member reads, and receives nothing.
  const [reader, ...members] = bench.makeStore(dataDir, 1 + connections) as [Member, ...Member[]]
  await using hub = await startHub(dataDir, { env })
  await using plain = await startYardstick('append-log.ts', [bench.freshPath('append-log')], env)
  for (const { port } of [hub, plain]) {
    if (!(await isSlowed(port, () => sendsAround(members)(0)))) {
      return [{ ...row, skipped: 'LD_PRELOAD slows no fsync of this Node' }]
    }
  }
  return [
    { ...row, figures: toFigures(await compareSends(bench, connections, { hub, plain, members })) },
    await readsBesideSenders(bench, hub, { reader, members }),
  ]
}

/** Measures the time of an inbox read with concurrent senders, against the same without senders. */
async function readsBesideSenders(
  bench: Bench,
  hub: Process,
  { reader, members }: { reader: Member; members: Member[] },
): Promise<Row> {
  const { rounds, seconds } = bench.quick ? { rounds: 2, seconds: 0.5 } : { rounds: 7, seconds: 1.5 }
  const next = sendsAround(members)
  const connection = await Connection.open(hub.port)
  const read = request('GET', '/v1/inbox', reader.token)
  const p50 = async (until: Promise<unknown>) => {
    let isOver = false
    void until.finally(() => (isOver = true))
    const times: number[] = []
    while (!isOver) {
      times.push(await elapsedMs(async () => expectSuccess(await connection.ask(read))))
      await delay(2)
    }
    return quantile(
      times.sort((a, b) => a - b),
      0.5,
    )
  }
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    const load = { port: hub.port, connections: senders, seconds, warmUpSeconds: 0.2, next }
    const pair = await measureInTurn(
      round,
      () => p50(runLoad(load)),
      () => p50(delay(seconds * 500)),
    )
    bench.say(`reads, round ${round + 1} of ${rounds}: ${pair.subject.toFixed(2)} to ${pair.yardstick.toFixed(2)} ms`)
    pairs.push(pair)
  }
  connection.close()
  return {
    what: `empty inbox read beside ${senders} senders there, p50 (yardstick: beside none)`,
    budget: { of: 'ratio', atMost: 1.5 },
    unit: 'ms',
    figures: toFigures(comparison(pairs)),
  }
}

/** Returns whether a single send takes at least as long as the delay: otherwise, an ineffective shim would look like a fast hub. */
async function isSlowed(port: number, next: () => string): Promise<boolean> {
  const connection = await Connection.open(port)
  const ms = await elapsedMs(async () => expectStored(await connection.ask(next())))
  connection.close()
  return ms >= delayUs / 1000
}
