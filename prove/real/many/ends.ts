import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault, Round } from '../fault.ts'
import { forAWhile, storm } from '../storm.ts'
import { ManyHubs } from './many-hubs.ts'

/** Limits of the time between two strikes, in ms: an election takes 1 to 2 s. */
const restMs = { least: 300, most: 3000 }

const rest = (round: Round) => delay(between(round.random, restMs.least, restMs.most))

/** Creates a fault that strikes three hubs, or the nodes of their log, repeatedly, with a pause before each strike. */
function strokes(name: string, title: string, stroke: (round: Round, cluster: ManyHubs) => Promise<void>): Fault {
  return {
    name,
    title,
    needs: ['etcd'],
    async run(round) {
      const cluster = await ManyHubs.start(round)
      return await storm(round, cluster, () =>
        forAWhile(round, async () => {
          await rest(round)
          round.strike()
          await stroke(round, cluster)
        }),
      )
    },
  }
}

export const killOneOfThree = strokes(
  'kill-one-hub',
  'kill -9 of one of three hubs, which starts again a moment later',
  async (round, { hubs }) => {
    const hub = pick(round.random, hubs)
    await hub.kill()
    await rest(round)
    await hub.start()
  },
)

export const killLeader = strokes(
  'kill-leader',
  "kill -9 of the node that leads the log's cluster",
  async (round, cluster) => {
    const leader = await cluster.leader()
    await leader.kill()
    await rest(round)
    leader.start()
    await cluster.etcd.healthy()
  },
)

export const killAllNodes = strokes(
  'kill-all-nodes',
  'kill -9 of all nodes of the log at once, and now and then of all hubs too',
  async (round, { etcd, hubs }) => {
    const isAll = round.random() < 0.5
    await Promise.all([...etcd.nodes, ...(isAll ? hubs : [])].map(each => each.kill()))
    await delay(round.random() * 1000)
    for (const node of etcd.nodes) node.start()
    await etcd.healthy()
    await Promise.all(hubs.map(async hub => hub.isRunning || (await hub.start())))
  },
)

export const pauseOne = strokes(
  'pause-hub-or-node',
  'SIGSTOP of one hub, or of one node of the log, for up to 5 s',
  async (round, { etcd, hubs }) => {
    const ms = between(round.random, 200, 5000)
    if (round.random() < 0.5) {
      const hub = pick(round.random, hubs)
      hub.pause()
      await delay(ms)
      hub.resume()
    } else {
      const node = pick(round.random, etcd.nodes)
      node.signal('SIGSTOP')
      await delay(ms)
      node.signal('SIGCONT')
    }
  },
)
