import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { elapsedMs } from '../compare.ts'
import { Connection, expectStored } from '../connection.ts'
import { startHub, startYardstick } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import { compareSends, sendsAround } from './sends.ts'

/** How much longer every fsync takes, in µs. */
const delayUs = 2000

const connections = 32

/** The same sends on a disk whose every sync takes 2 ms longer, as real disks do, against an append log with shared fdatasync. */
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
  const members = bench.makeStore(dataDir, connections)
  await using hub = await startHub(dataDir, env)
  await using plain = await startYardstick('append-log.ts', [bench.freshPath('append-log')], env)
  for (const { port } of [hub, plain]) {
    if (!(await isSlowed(port, () => sendsAround(members)(0)))) {
      return [{ ...row, skipped: 'LD_PRELOAD slows no fsync of this Node' }]
    }
  }
  return [{ ...row, figures: toFigures(await compareSends(bench, connections, { hub, plain, members })) }]
}

/** Whether a lone send takes as long as the delay at least: a shim that does nothing must not pass for a fast hub. */
async function isSlowed(port: number, next: () => string): Promise<boolean> {
  const connection = await Connection.open(port)
  const ms = await elapsedMs(async () => expectStored(await connection.ask(next())))
  connection.close()
  return ms >= delayUs / 1000
}
