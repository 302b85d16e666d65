import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Bench } from './bench.ts'
import { Connection, expectSuccess } from './connection.ts'
import { request, runLoad, sendAll } from './load.ts'
import { sendsOf } from './messages.ts'
import { type Process, startHub } from './processes.ts'
import type { Member } from './store.ts'

/** Shares of the processor time of each subject that one activity used, in percent. */
export interface ProfileRow {
  what: string
  shares: Record<string, number>
}

/** The fields of V8's CPU profile that are used. Times are in microseconds. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[]
  samples: number[]
  timeDeltas: number[]
}

const root = `${resolve(import.meta.dirname, '..')}/`

/** A sample belongs to the first of these that matches a frame of its stack, from the innermost frame outwards. */
const groups: readonly (readonly [what: string, frame: RegExp])[] = [
  ['garbage collection', /^\(garbage collector\)/],
  ['loading and compiling modules', /node:internal\/(modules|bootstrap|process\/esm|vm)|amaro/],
  ['Node: HTTP, sockets, streams', /node:(_http|net|stream|internal\/(stream|http|net)|_tls|events)/],
  ['SQLite and the sync of its log', /src\/hub\/state\/store\//],
  ['hashes of texts and tokens', /src\/hub\/state\/content-hash|src\/protocol\/token/],
  ['rules and queries of the state', /src\/hub\/state\//],
  ['journal', /src\/hub\/journal\//],
  ['events to streams, presence', /src\/hub\/push\//],
  ['schemas', /src\/protocol\/|node_modules\/zod/],
  ['routes, limits, tokens', /src\/hub\/(http|auth)\//],
  ['Fastify', /node_modules\/(fastify|@fastify|avvio|find-my-way|light-my-request)/],
  ['logging and metrics', /node_modules\/(pino|prom-client|sonic-boom|thread-stream)|src\/hub\/seeing/],
  ['the rest of the hub', /src\/|^dist\//],
  ['the rest of Node', /./],
]

/** Profiles the hub, run from its sources, under 32 senders and under a reader of 100 messages, and its start from dist/. */
export async function profile(bench: Bench): Promise<ProfileRow[]> {
  const seconds = bench.quick ? 1 : 6
  const subjects: Record<string, Map<string, number>> = {}
  const run = async (name: string, source: boolean, work: (hub: Process, members: Member[]) => Promise<unknown>) => {
    bench.say(name)
    const [dataDir, into] = [bench.freshPath('hub'), bench.freshPath('profile')]
    const members = bench.makeStore(dataDir, 128)
    const entry = source ? join(root, 'src/cli/start.ts') : undefined
    const hub = await startHub(dataDir, { entry, flags: ['--cpu-prof', `--cpu-prof-dir=${into}`] })
    await work(hub, members)
    await hub[Symbol.asyncDispose]()
    // The reading thread writes a profile of its own, a smaller one.
    const profiles = readdirSync(into).map(file => JSON.parse(readFileSync(join(into, file), 'utf8')) as CpuProfile)
    const [main] = profiles.sort((a, b) => b.samples.length - a.samples.length)
    subjects[name] = timeByGroup(main!, name !== 'start')
  }
  await run('send', true, async ({ port }, members) => {
    const nexts = members.map((member, index) => sendsOf(member, members[(index + 1) % members.length]!.name))
    await runLoad({ port, connections: 32, seconds, next: connection => nexts[connection]!() })
  })
  await run('read of 100', true, async ({ port }, [sender, reader]) => {
    await sendAll(port, 8, 100, sendsOf(sender!, reader!.name))
    const read = request('GET', '/v1/inbox', reader!.token)
    const connection = await Connection.open(port)
    for (const end = performance.now() + seconds * 1000; performance.now() < end; )
      expectSuccess(await connection.ask(read))
    connection.close()
  })
  await run('start', false, async () => {})
  return groups.map(([what]) => ({
    what,
    shares: Object.fromEntries(
      Object.entries(subjects).map(([name, times]) => {
        const whole = [...times.values()].reduce((sum, each) => sum + each, 0)
        return [name, (100 * (times.get(what) ?? 0)) / whole]
      }),
    ),
  }))
}

/** Returns the profile as a Markdown table, with shares in whole percent. */
export function profileTable(rows: readonly ProfileRow[]): string {
  const names = Object.keys(rows[0]!.shares)
  const shown = rows.filter(({ shares }) => Object.values(shares).some(share => share >= 0.5))
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(['processor time of the hub goes to', ...names]),
    line(['---', ...names.map(() => '---:')]),
    ...shown.map(({ what, shares }) => line([what, ...names.map(name => `${Math.round(shares[name]!)} %`)])),
  ].join('\n')
}

/** Returns the time by group in microseconds, without idle time; with `isWarm`, also without the start of the program. */
function timeByGroup({ nodes, samples, timeDeltas }: CpuProfile, isWarm: boolean): Map<string, number> {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id] as const)))
  const frames = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => [
      id,
      url ? url.replace(`file://${root}`, '') : functionName,
    ]),
  )
  const memory = new Map<number, string | undefined>()
  const groupOf = (leaf: number): string | undefined => {
    const stack: string[] = []
    for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) stack.push(frames.get(id)!)
    if (stack[0] === '(idle)') return undefined
    if (isWarm && stack.some(frame => groups[1]![1].test(frame))) return undefined
    // The outer frames of every stack belong to Node: the innermost match decides.
    for (const frame of stack) {
      const found = groups.slice(0, -1).find(([, pattern]) => pattern.test(frame))
      if (found) return found[0]
    }
    return groups.at(-1)![0]
  }
  const times = new Map<string, number>()
  samples.forEach((leaf, index) => {
    if (!memory.has(leaf)) memory.set(leaf, groupOf(leaf))
    const group = memory.get(leaf)
    if (group !== undefined) times.set(group, (times.get(group) ?? 0) + timeDeltas[index]!)
  })
  return times
}
