import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault, Round } from '../fault.ts'
import { forAWhile, storm } from '../storm.ts'
import { ManyHubs } from './many-hubs.ts'

/** Time between two strokes, in ms: an election takes 1 to 2 s. */
const restMs = { least: 300, most: 3000 }

const rest = (round: Round) => delay(between(round.random, restMs.least, restMs.most))

/** How long members wait for an answer before they go to another hub, in ms, as clients do for a connection. */
const timeoutMs = 1000

export const killOneOfThree: Fault = {
  name: 'kill-one-hub',
  title: 'kill -9 of one of three hubs, which starts again a moment later',
  needs: ['etcd'],
  async run(round) {
    const cluster = await ManyHubs.start(round)
    return await storm(
      round,
      cluster,
      () =>
        forAWhile(round, async () => {
          await rest(round)
          const hub = pick(round.random, cluster.hubs)
          round.strike()
          await hub.kill()
          await rest(round)
          await hub.start()
        }),
      { timeoutMs },
    )
  },
}

export const killLeader: Fault = {
  name: 'kill-leader',
  title: "kill -9 of the node that leads the log's cluster",
  needs: ['etcd'],
  async run(round) {
    const cluster = await ManyHubs.start(round)
    return await storm(
      round,
      cluster,
      () =>
        forAWhile(round, async () => {
          await rest(round)
          const leader = await cluster.leader()
          round.strike()
          await leader.kill()
          await rest(round)
          leader.start()
          await cluster.etcd.healthy()
        }),
      { timeoutMs },
    )
  },
}

export const killAllNodes: Fault = {
  name: 'kill-all-nodes',
  title: 'kill -9 of all nodes of the log at once, and now and then of all hubs too',
  needs: ['etcd'],
  async run(round) {
    const cluster = await ManyHubs.start(round)
    return await storm(
      round,
      cluster,
      () =>
        forAWhile(round, async () => {
          await rest(round)
          const isAll = round.random() < 0.5
          round.strike()
          await Promise.all([...cluster.etcd.nodes, ...(isAll ? cluster.hubs : [])].map(each => each.kill()))
          await delay(round.random() * 1000)
          for (const node of cluster.etcd.nodes) node.start()
          await cluster.etcd.healthy()
          await Promise.all(cluster.hubs.map(async hub => hub.isRunning || (await hub.start())))
        }),
      { timeoutMs },
    )
  },
}

export const pauseOne: Fault = {
  name: 'pause-hub-or-node',
  title: 'SIGSTOP of one hub, or of one node of the log, for up to 5 s',
  needs: ['etcd'],
  async run(round) {
    const cluster = await ManyHubs.start(round)
    return await storm(
      round,
      cluster,
      () =>
        forAWhile(round, async () => {
          await rest(round)
          const ms = between(round.random, 200, 5000)
          round.strike()
          if (round.random() < 0.5) {
            const hub = pick(round.random, cluster.hubs)
            hub.pause()
            await delay(ms)
            hub.resume()
          } else {
            const node = pick(round.random, cluster.etcd.nodes)
            node.signal('SIGSTOP')
            await delay(ms)
            node.signal('SIGCONT')
          }
        }),
      { timeoutMs },
    )
  },
}
