import { globSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault } from '../fault.ts'
import { forAWhile, oneHub, storm } from '../storm.ts'

const daySeconds = 86_400

export const clockJumps: Fault = {
  name: 'clock-jumps',
  title: 'the wall clock of the hub is set, by seconds, a day or a year, forwards and back',
  needs: ['faketime'],
  isQuick: true,
  async run(round) {
    const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
    const file = join(round.dir, 'offset')
    const step = (seconds: number) => {
      writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
      renameSync(`${file}.new`, file)
    }
    step(0)
    const env = {
      LD_PRELOAD: library!,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // Times of files stay the disk's: a clock that was set does not change them either.
      NO_FAKE_STAT: '1',
    }
    const cluster = await oneHub(round, { env })
    return await storm(round, cluster, load =>
      forAWhile(round, async () => {
        round.strike()
        step(Math.round(between(round.random, -1, 1) * pick(round.random, [5, daySeconds, 365 * daySeconds])))
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
