import { setTimeout as delay } from 'node:timers/promises'
import { between } from '../../sim/random.ts'
import type { Fault } from '../fault.ts'
import { HubProcess, NotStarted } from '../hub-process.ts'
import { forAWhile, oneHub, storm } from '../storm.ts'

/** Maximum time between a start of the hub and its next kill, in ms. */
const longestLifeMs = 700

export const killHub: Fault = {
  name: 'kill-hub',
  title: 'kill -9 of the hub, at any moment, also while it starts',
  needs: [],
  isQuick: true,
  async run(round) {
    const cluster = await oneHub(round)
    const { hub } = cluster
    return await storm(round, cluster, load =>
      forAWhile(round, async () => {
        // Most runs are long enough for some messages, also on a slow machine.
        if (round.random() < 0.8) await load.answered(5)
        await delay(round.random() * longestLifeMs)
        round.strike()
        await hub.kill()
        if (round.random() < 0.2) {
          const starting = hub.start().catch(() => {})
          await delay(round.random() * 300)
          round.strike()
          await hub.kill()
          await starting
        }
        await hub.start()
      }),
    )
  },
}

export const killUnderLoad: Fault = {
  name: 'kill-under-load',
  title: 'kill -9 of the hub every second or so, while members send as fast as they are answered',
  needs: [],
  async run(round) {
    const cluster = await oneHub(round)
    const { hub } = cluster
    return await storm(
      round,
      cluster,
      load =>
        forAWhile(round, async () => {
          await load.answered(200)
          await delay(between(round.random, 200, 2000))
          round.strike()
          await hub.kill()
          await hub.start()
        }),
      { lanes: 24, paceMs: 0, readPaceMs: 50, textLength: 500, searches: false },
    )
  },
}

export const pauseHub: Fault = {
  name: 'pause-hub',
  title: 'SIGSTOP of the hub for up to 4 s: connections stay open and nothing is answered',
  needs: [],
  isQuick: true,
  async run(round) {
    const cluster = await oneHub(round)
    return await storm(
      round,
      cluster,
      () =>
        forAWhile(round, async () => {
          await delay(between(round.random, 50, 400))
          round.strike()
          cluster.hub.pause()
          await delay(between(round.random, 100, 4000))
          cluster.hub.resume()
        }),
      { timeoutMs: 1500 },
    )
  },
}

export const twoHubs: Fault = {
  name: 'two-hubs',
  title:
    'a second hub is started on the same store while the first runs, is stopped by SIGSTOP, or has just been killed',
  needs: [],
  isQuick: true,
  async run(round) {
    const cluster = await oneHub(round)
    const { hub } = cluster
    return await storm(
      round,
      cluster,
      load =>
        forAWhile(round, async () => {
          await load.answered(3)
          round.strike()
          const second = new HubProcess({ dataDir: hub.dataDir, logFile: `${hub.dataDir}.second.log` })
          round.defer(() => second.kill())
          const isKilled = round.random() < 0.3
          if (isKilled) await hub.kill()
          else if (round.random() < 0.4) hub.pause()
          const first = isKilled ? hub.start().catch(refused) : undefined
          await second.start().catch(refused)
          await first
          hub.resume()
          if (second.isRunning && hub.isRunning)
            load.violations.push({ kind: 'broken', text: 'two hubs run on one store' })
          else if (second.isRunning && !isKilled)
            load.violations.push({ kind: 'broken', text: 'a second hub took the store from the first' })
          await second.kill()
          if (!hub.isRunning) await hub.start()
        }),
      { timeoutMs: 2000 },
    )
  },
}

function refused(error: unknown): void {
  if (!(error instanceof NotStarted)) throw error
}
