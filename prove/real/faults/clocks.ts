import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault } from '../fault.ts'
import { SetClock } from '../set-clock.ts'
import { forAWhile, oneHub, storm } from '../storm.ts'

const daySeconds = 86_400

export const clockJumps: Fault = {
  name: 'clock-jumps',
  title: 'the wall clock of the hub is set, by seconds, a day or a year, forwards and back',
  needs: ['faketime'],
  isQuick: true,
  async run(round) {
    const clock = new SetClock(round.dir)
    const cluster = await oneHub(round, { env: clock.env })
    return await storm(round, cluster, load =>
      forAWhile(round, async () => {
        round.strike()
        clock.set(Math.round(between(round.random, -1, 1) * pick(round.random, [5, daySeconds, 365 * daySeconds])))
        await load.answered(5)
        if (round.random() < 0.2) {
          await cluster.hub.kill()
          await cluster.hub.start()
        }
        await delay(round.random() * 400)
      }),
    )
  },
}
