import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault } from '../fault.ts'
import { forAWhile, storm } from '../storm.ts'
import { Islands } from './islands.ts'
import { ManyHubs } from './many-hubs.ts'

const nodes = ['e0', 'e1', 'e2']
const hubs = ['h0', 'h1', 'h2']

/** Limits of the duration of a cut, in ms: longer than an election, and at times longer than a hub that is cut off serves reads. */
const cutMs = { least: 1500, most: 14_000 }

export const partitionOfThree: Fault = {
  name: 'partition-of-three',
  title:
    'the network is cut: between two nodes of the log, around its leader, around one hub, around a hub with its node',
  needs: ['etcd', 'nft'],
  async run(round) {
    const islands = new Islands(round, [...nodes, ...hubs])
    const cluster = await ManyHubs.start(round, {
      etcd: { host: index => islands.addressOf(nodes[index]!), wrapper: index => islands.on(nodes[index]!) },
      hub: index => ({
        wrapper: islands.on(hubs[index]!),
        config: { host: islands.addressOf(hubs[index]!) },
      }),
    })
    const leader = async () => nodes[cluster.etcd.nodes.indexOf(await cluster.leader())]!
    const without = (names: readonly string[], ...gone: string[]) => names.filter(name => !gone.includes(name))
    const ways = [
      async () => {
        const one = pick(round.random, nodes)
        islands.cut([one], [pick(round.random, without(nodes, one))])
      },
      async () => {
        const led = await leader()
        islands.cut([led], without(nodes, led))
      },
      async () => islands.cut([pick(round.random, hubs)], nodes),
      async () => {
        const at = Math.floor(round.random() * hubs.length)
        const site = [hubs[at]!, nodes[at]!]
        islands.cut(site, without([...nodes, ...hubs], ...site))
      },
    ]
    return await storm(round, cluster, async () => {
      await forAWhile(round, async () => {
        await delay(between(round.random, 500, 2000))
        round.strike()
        await pick(round.random, ways)()
        await delay(between(round.random, cutMs.least, cutMs.most))
        islands.join()
        await cluster.etcd.healthy()
      })
    })
  },
}
