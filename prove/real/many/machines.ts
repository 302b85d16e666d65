import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault } from '../fault.ts'
import { SetClock } from '../set-clock.ts'
import { forAWhile, storm } from '../storm.ts'
import { SyncedFiles } from '../synced-files.ts'
import { ManyHubs } from './many-hubs.ts'

const daySeconds = 86_400

export const oneWrongClock: Fault = {
  name: 'one-wrong-clock',
  title: 'the wall clock of one of three hubs is set by up to a day, forwards and back',
  needs: ['etcd', 'faketime'],
  async run(round) {
    const clock = new SetClock(round.dir)
    const wrong = Math.floor(round.random() * 3)
    const cluster = await ManyHubs.start(round, { hub: index => (index === wrong ? { env: clock.env } : {}) })
    return await storm(round, cluster, load =>
      forAWhile(round, async () => {
        round.strike()
        clock.set(Math.round(between(round.random, -1, 1) * daySeconds))
        await load.answered(5)
        await delay(round.random() * 1000)
      }),
    )
  },
}

export const powerLossOfHubs: Fault = {
  name: 'power-loss-of-hubs',
  title: 'loss of power at one hub or at all three: what their stores had not synced is lost or torn, the log has it',
  needs: ['etcd', 'gcc'],
  async run(round) {
    const disks = [0, 1, 2].map(index => {
      const dir = join(round.dir, `disk-${index}`)
      mkdirSync(dir)
      return new SyncedFiles(dir, 1)
    })
    const cluster = await ManyHubs.start(round, { hub: index => ({ env: disks[index]!.env }) })
    return await storm(round, cluster, () =>
      forAWhile(round, async () => {
        await delay(between(round.random, 300, 2000))
        const at = round.random() < 0.3 ? [0, 1, 2] : [pick(round.random, [0, 1, 2])]
        round.strike()
        await Promise.all(at.map(index => cluster.hubs[index]!.kill()))
        for (const index of at) disks[index]!.losePower(cluster.hubs[index]!.dataDir, round.random)
        await Promise.all(at.map(index => cluster.hubs[index]!.start()))
      }),
    )
  },
}
