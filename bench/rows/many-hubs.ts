import { execFileSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { HubClient } from '../../src/client/hub-client.ts'
import { DirectTransport } from '../../src/client/transport/direct.ts'
import { SeveralHubs } from '../../src/client/transport/several.ts'
import { api } from '../../src/protocol/api.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { EtcdCluster, withoutEtcd } from '../../test/support/etcd.ts'
import type { Bench } from '../bench.ts'
import { comparison, median } from '../compare.ts'
import { runLoad, sendAll } from '../load.ts'
import { text } from '../messages.ts'
import { type Process, program, startHub } from '../processes.ts'
import { type Row, toFigures } from '../row.ts'
import type { Member } from '../store.ts'
import { compareSends, sendsAround } from './sends.ts'

/** Number of members, each with a connection of its own in the widest load. */
const crowd = 128

/** Budgets for a log over three nodes, as a share of the rate of a single hub. */
const budgets = { 1: 0.15, 32: 0.25, 128: 0.25 } as const

interface Hubs {
  alone: Process
  three: Process[]
  /** Restarts each of the three. */
  restart: (index: number) => Promise<Process>
  members: Member[]
}

/** Measures three hubs over a log in three nodes of etcd, all on this machine, against a single hub. */
export async function manyHubs(bench: Bench): Promise<Row[]> {
  if (withoutEtcd)
    return [{ what: 'three hubs over etcd', budget: { of: 'ratio' }, unit: 'sends/s', skipped: withoutEtcd }]
  await using etcd = await EtcdCluster.start(3)
  const [aloneDir, ...dirs] = [0, 1, 2, 3].map(() => bench.freshPath('hub')) as [string, ...string[]]
  const members = bench.makeStore(aloneDir, crowd)
  cpSync(aloneDir, dirs[0]!, { recursive: true })
  const url = `etcd://${etcd.endpoints.map(endpoint => new URL(endpoint).host).join(',')}/bench`
  execFileSync(process.execPath, [program, 'journal', 'init', '--from', dirs[0]!, '--journal', url], {
    stdio: 'ignore',
  })
  for (const dir of dirs.slice(1)) cpSync(dirs[0]!, dir, { recursive: true })
  const restart = (index: number) =>
    startHub(dirs[index]!, { config: { journal: { endpoints: etcd.endpoints, name: 'bench' }, hubName: `h${index}` } })
  const three = await Promise.all(dirs.map((_, index) => restart(index)))
  const hubs: Hubs = { alone: await startHub(aloneDir), three, restart, members }
  try {
    const rows = [...(await sendsAtOne(bench, hubs)), await sendsAtAll(bench, hubs), await latency(bench, hubs)]
    return [...rows, await catchUp(bench, hubs), ...(await failOver(bench, hubs, etcd))]
  } finally {
    await Promise.all([hubs.alone, ...hubs.three].map(hub => hub[Symbol.asyncDispose]()))
  }
}

async function sendsAtOne(bench: Bench, { alone, three, members }: Hubs): Promise<Row[]> {
  const rows: Row[] = []
  for (const connections of [1, 32, 128] as const) {
    const figures = await compareSends(bench, connections, { hub: three[0]!, plain: alone, members })
    rows.push({
      what: `sends to one of three hubs over etcd (yardstick: a hub alone), ${connections}`,
      budget: { of: 'ratio', atLeast: budgets[connections] },
      unit: 'sends/s',
      figures: toFigures(figures),
    })
  }
  return rows
}

/** Measures the same load spread over all three hubs, which write to one log concurrently. */
async function sendsAtAll(bench: Bench, { alone, three, members }: Hubs): Promise<Row> {
  const { rounds, seconds } = bench.quick ? { rounds: 2, seconds: 0.4 } : { rounds: 5, seconds: 1.5 }
  const load = { seconds, warmUpSeconds: 0.3 }
  const parts = three.map((_, index) => members.filter((_, at) => at % three.length === index))
  const pairs = []
  for (let round = 0; round < rounds; round++) {
    const taken = await Promise.all(
      three.map(({ port }, index) => runLoad({ ...load, port, connections: 32, next: sendsAround(parts[index]!) })),
    )
    const one = await runLoad({ ...load, port: alone.port, connections: 96, next: sendsAround(members) })
    pairs.push({ subject: taken.reduce((sum, { perSecond }) => sum + perSecond, 0), yardstick: one.perSecond })
    bench.say(`three hubs, round ${round + 1} of ${rounds}: ${pairs.at(-1)!.subject | 0}/s`)
  }
  return {
    what: 'sends to all three at once, 32 each (yardstick: 96 to a hub alone)',
    budget: { of: 'ratio', atLeast: 0.2 },
    unit: 'sends/s',
    figures: toFigures(comparison(pairs)),
  }
}

async function latency(bench: Bench, { alone, three, members }: Hubs): Promise<Row> {
  const load = { connections: 1, seconds: bench.quick ? 0.5 : 3, warmUpSeconds: 0.3, next: sendsAround(members) }
  const [subject, yardstick] = [
    await runLoad({ ...load, port: three[0]!.port }),
    await runLoad({ ...load, port: alone.port }),
  ]
  bench.say(`p50 ${subject.p50Ms.toFixed(2)} ms, p99 ${subject.p99Ms.toFixed(2)} ms`)
  return {
    what: 'a lone send to one of three hubs, p99 (yardstick: a hub alone)',
    budget: { of: 'measured', atMost: 50 },
    unit: 'ms',
    figures: toFigures(comparison([{ subject: subject.p99Ms, yardstick: yardstick.p99Ms }])),
  }
}

/** Measures the time that a restarted hub takes to apply the entries it missed, for 100,000 entries. */
async function catchUp(bench: Bench, hubs: Hubs): Promise<Row> {
  const { three, members } = hubs
  const missed = bench.quick ? 5000 : 20_000
  const startedOnce = await restartMs(hubs, 2)
  await three[2]![Symbol.asyncDispose]()
  bench.say(`${missed} entries while one hub is away`)
  await sendAll(three[0]!.port, 64, missed, sendsAround(members))
  const ms = await startMs(hubs, 2)
  return {
    what: 'catching up with 100 k entries, beside two hubs that run',
    budget: { of: 'measured', atMost: 30 },
    unit: 's',
    figures: { measured: (Math.max(1, ms - startedOnce) * 100_000) / missed / 1000 },
  }
}

async function restartMs(hubs: Hubs, index: number): Promise<number> {
  await hubs.three[index]![Symbol.asyncDispose]()
  return startMs(hubs, index)
}

async function startMs({ three, restart }: Hubs, index: number): Promise<number> {
  const startedAt = performance.now()
  three[index] = await restart(index)
  return performance.now() - startedAt
}

/**
 * Measures the longest time between two successful sends of a client that sends one after the other, while a hub or the log's leader is
 * killed.
 */
async function failOver(bench: Bench, hubs: Hubs, etcd: EtcdCluster): Promise<Row[]> {
  const rounds = bench.quick ? 1 : 5
  const gaps = { hub: [] as number[], leader: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const at = round % hubs.three.length
    gaps.hub.push(
      await longestGap(hubs, at, () => {
        hubs.three[at]!.child.kill('SIGKILL')
      }),
    )
    hubs.three[at] = await hubs.restart(at)
    const leader = await etcd.leader()
    gaps.leader.push(await longestGap(hubs, at, () => leader.kill()))
    leader.start()
    await etcd.healthy()
    bench.say(`fail-over, round ${round + 1} of ${rounds}: ${gaps.hub.at(-1)! | 0} and ${gaps.leader.at(-1)! | 0} ms`)
  }
  const row = (what: string, values: number[], atMost: number): Row => ({
    what: `longest time without an answered send, kill -9 of ${what}`,
    budget: { of: 'measured', atMost },
    unit: 's',
    figures: { measured: median(values) / 1000 },
  })
  return [row('the hub that is used', gaps.hub, 1), row("the log's leader", gaps.leader, 3)]
}

/**
 * Sends a message, and returns whether it was stored; false if no hub responded. Throws any other refusal, since a retry would not help.
 */
async function isStored(client: HubClient, body: { id: string; to: string; body: string }): Promise<boolean> {
  try {
    await client.call(api.sendMessage, { body })
    return true
  } catch (error) {
    if (error instanceof ClaudeNetError && error.code === 'unavailable') return false
    throw error
  }
}

async function longestGap({ three, members }: Hubs, home: number, harm: () => unknown): Promise<number> {
  const [first, ...others] = [...three.slice(home), ...three.slice(0, home)].map(({ port }) => {
    const hub = new URL(`http://127.0.0.1:${port}`)
    return { id: hub.href, hub, sshHost: 'local', hubKey: undefined }
  })
  const transport = new SeveralHubs({
    ways: () => [first!, ...others],
    open: ({ hub }) => new DirectTransport(hub),
    memory: { read: () => undefined, write: () => {} },
  })
  const client = new HubClient({ transport, token: members[0]!.token })
  let [longest, answeredAt, harmedAt] = [0, performance.now(), Number.POSITIVE_INFINITY]
  let sent = 0
  const until = performance.now() + 5000
  while (performance.now() < until) {
    // To all in turn, because an inbox accepts at most 10,000 unread messages.
    const to = members[1 + (sent++ % (members.length - 1))]!.name
    const body = { id: newMessageId(), to, body: text }
    while (!(await isStored(client, body))) await delay(20)
    const now = performance.now()
    longest = Math.max(longest, now - answeredAt)
    answeredAt = now
    if (harmedAt === Number.POSITIVE_INFINITY && now > until - 4500) {
      harmedAt = now
      await harm()
      longest = 0
    }
    await delay(5)
  }
  client.close()
  return longest
}
