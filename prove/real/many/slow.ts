import { setTimeout as delay } from 'node:timers/promises'
import type { Fault } from '../fault.ts'
import { storm } from '../storm.ts'
import { WatchFilter } from './filter.ts'
import { ManyHubs } from './many-hubs.ts'

/** Returns the command prefix that runs a process under strace, which delays each of its syncs by `ms`. */
function slowed(ms: number): string[] {
  const syncs = 'fsync,fdatasync'
  const inject = `inject=${syncs}:delay_exit=${ms * 1000}`
  return ['strace', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', `trace=${syncs}`, '-e', inject]
}

/** Creates a fault with three nodes of the log, some of which have a slow disk. */
function slowDisk(name: string, title: string, ms: (node: number) => number): Fault {
  return {
    name,
    title,
    needs: ['etcd', 'strace'],
    async run(round) {
      const cluster = await ManyHubs.start(round, {
        etcd: { wrapper: node => (ms(node) > 0 ? slowed(ms(node)) : []) },
      })
      return await storm(round, cluster, async () => {
        round.strike()
        await delay(round.harmMs)
      })
    },
  }
}

export const slowDisks = slowDisk('slow-log-2ms', 'every sync of every node of the log takes 2 ms longer', () => 2)

export const oneSlowDisk = slowDisk('slow-log-200ms', 'every sync of one node of the log takes 200 ms longer', node =>
  node === 0 ? 200 : 0,
)

export const deafWatch: Fault = {
  name: 'deaf-watch',
  title: 'proxies between hubs and log drop every other event of the watches',
  needs: ['etcd'],
  async run(round) {
    const filters: WatchFilter[] = []
    const cluster = await ManyHubs.start(round, {
      endpoints: etcd =>
        Promise.all(
          etcd.endpoints.map(async endpoint => {
            const filter = new WatchFilter(endpoint, 0.5, round.random)
            filters.push(filter)
            round.defer(() => filter.close())
            return await filter.listen()
          }),
        ),
    })
    return await storm(round, cluster, async load => {
      await delay(round.harmMs)
      await load.answered(20)
      for (const { dropped } of filters) for (let n = 0; n < dropped; n++) round.strike()
      if (filters.every(({ dropped }) => dropped === 0)) throw new Error('The proxies dropped no event.')
    })
  },
}
