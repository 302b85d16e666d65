import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { joinLine } from '../../src/protocol/join-line.ts'
import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, measureInTurn, type Pair } from '../compare.ts'
import { Connection, expectSuccess } from '../connection.ts'
import { request } from '../load.ts'
import { machineNode, start, startHub } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'

/** Measures a join into an empty home by the line that `invite` prints. */
export async function install(bench: Bench): Promise<Row[]> {
  const rounds = bench.quick ? 1 : 5
  const seconds: Row = {
    what: 'install of a machine from the hub (yardstick: node -e 0)',
    budget: { of: 'measured', atMost: 3 },
    unit: 's',
  }
  const size: Row = { what: 'install: the one file', budget: { of: 'measured', atMost: 1 }, unit: 'MB' }
  if (spawnSync('curl', ['--version']).error) {
    return [seconds, size].map(row => ({ ...row, skipped: 'curl is missing here' }))
  }
  const dataDir = bench.freshPath('hub')
  await using hub = await startHub(dataDir)
  const adminToken = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
  const admin = await Connection.open(hub.port)
  const pairs: Pair[] = []
  let bytes = Number.NaN
  for (let round = 0; round < rounds; round++) {
    const answer = await admin.ask(request('POST', '/v1/admin/invites', adminToken, { name: `machine-${round}` }))
    expectSuccess(answer)
    const { code } = JSON.parse(answer.body) as { code: string }
    const home = bench.freshPath('home')
    mkdirSync(home)
    const env = { HOME: home, PATH: `${dirname(machineNode)}:${process.env.PATH}` }
    const line = `${joinLine({ origin: `http://127.0.0.1:${hub.port}`, code })} -s -- --no-claude --bin '${home}/bin'`
    const pair = await measureInTurn(
      round,
      () => elapsedMs(() => runToEnd('sh', ['-c', line], env)),
      () => elapsedMs(() => runToEnd(machineNode, ['-e', '0'], env)),
    )
    bytes = statSync(join(home, '.claude-net/claude-net.mjs')).size
    bench.say(`round ${round + 1} of ${rounds}: ${pair.subject | 0} ms, ${bytes} bytes`)
    pairs.push({ subject: pair.subject / 1000, yardstick: pair.yardstick / 1000 })
  }
  admin.close()
  return [
    { ...seconds, figures: toFigures(comparison(pairs)) },
    { ...size, figures: { measured: bytes / 1e6 } },
  ]
}

async function runToEnd(command: string, args: string[], env: Record<string, string>): Promise<void> {
  const child = start(command, args, { env })
  let output = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${output}`)
}
