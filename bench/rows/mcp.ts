import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, measureInTurn, type Pair } from '../compare.ts'
import { machineNode, Process, program, residentMB, start } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'

/** Time between the listing of the tools and the measurement of memory, in ms: the server connects to the hub only after the listing. */
const settleMs = 1000

/** Measures the start time and memory of a session's MCP server on the system's Node. */
export async function mcpServer(bench: Bench): Promise<Row[]> {
  const rounds = bench.quick ? 3 : 11
  await using pairing = await bench.startPairing(1)
  const env = joinedHome(bench, pairing.members[0]!, pairing.hub.port)
  const starts: Pair[] = []
  const weights: Pair[] = []
  // The first start of each reads its files from disk, and is not counted.
  for (let round = -1; round < rounds; round++) {
    let weight = Number.NaN
    const pair = await measureInTurn(
      round,
      async () => {
        await using server = new Process(start(machineNode, [program, 'mcp'], { env, stdin: 'pipe' }))
        const ms = await elapsedMs(() => listTools(server))
        await delay(settleMs)
        weight = residentMB(server.child.pid!)
        return ms
      },
      () => elapsedMs(() => once(start(machineNode, ['-e', '0'], { env }), 'exit')),
    )
    if (round < 0) continue
    bench.say(`round ${round + 1} of ${rounds}: ${pair.subject | 0} to ${pair.yardstick | 0} ms, ${weight | 0} MB`)
    starts.push(pair)
    weights.push({ subject: weight, yardstick: await idleNodeMB() })
  }
  return [
    {
      what: 'MCP server: spawn → tools/list (yardstick: node -e 0)',
      budget: { of: 'ratio', atMost: 2.5 },
      unit: 'ms',
      figures: toFigures(comparison(starts)),
    },
    {
      what: 'MCP server: memory (yardstick: an idle Node)',
      budget: { of: 'measured', atMost: 52 },
      unit: 'MB',
      figures: toFigures(comparison(weights)),
    },
  ]
}

/** Writes a machine's files as `join` does. */
function joinedHome(bench: Bench, { name, token }: Member, port: number): Record<string, string> {
  const home = bench.freshPath('home')
  const dir = join(home, '.claude-net')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  writeFileSync(
    join(dir, 'config.json'),
    JSON.stringify({ machine: name, sshHost: 'local', hub: `http://127.0.0.1:${port}` }),
  )
  writeFileSync(join(dir, 'token'), `${token}\n`, { mode: 0o600 })
  return { HOME: home, CLAUDE_NET_HOME: dir }
}

/** Initializes the server as Claude Code does and requests its tools. */
async function listTools({ child }: Process): Promise<void> {
  const answers = createInterface(child.stdout!)[Symbol.asyncIterator]()
  const say = (message: object) => child.stdin!.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const clientInfo = { name: 'bench', version: '1' }
  say({ id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo } })
  await answers.next()
  say({ method: 'notifications/initialized' })
  say({ id: 2, method: 'tools/list', params: {} })
  const { value } = (await answers.next()) as { value?: string }
  const tools =
    value === undefined ? undefined : (JSON.parse(value) as { result?: { tools?: unknown[] } }).result?.tools
  if (!tools?.length) throw new Error(`The MCP server did not list its tools: ${value}`)
}

async function idleNodeMB(): Promise<number> {
  await using idle = new Process(start(machineNode, ['-e', 'setTimeout(() => {}, 60_000)']))
  await delay(300)
  return idle.residentMB
}
