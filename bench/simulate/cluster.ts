import type { Random } from '../../test/support/random.ts'
import { loadAt, type Organization, sumOf } from './organizations.ts'
import { type Habits, host, planned, type Terms } from './terms.ts'

/** What a hub's main thread can do in a second, in ms. */
const secondMs = 1000

/** Every how many seconds of the day a wait is kept as a sample. */
const sampleEvery = 60

/** Hubs of a cluster. */
export const hubs = 3

/** What can be used up, as a share of what there is with one hub dead. */
export type Limit = 'log' | 'processor' | 'memory' | 'sockets'

/** Three hubs over one log, with the organizations that live there. */
export interface Cluster {
  organizations: Organization[]
  /** Shares of each limit in the busiest hour. */
  used: Record<Limit, number>
}

/** The busiest hour of a day seen as one: the peaks of its organizations need not fall together, and are planned as if they did. */
export function sharesOf(organizations: readonly Organization[], { burst }: Habits, terms: Terms): Cluster['used'] {
  const { entries, mailMs, idleMs, sessions } = sumOf(organizations.map(({ peak }) => peak))
  const left = hubs - 1
  return {
    log: (entries * burst) / terms.logPerSecond,
    processor: (mailMs * burst + idleMs) / (left * secondMs),
    memory: (sessions * terms.sessionBytes) / (left * host.memoryBytes),
    sockets: sessions / (left * host.sessions),
  }
}

/** Puts each organization, the largest first, into the first cluster that can still take it. Those that no cluster can take are `tooLarge`. */
export function place(organizations: readonly Organization[], habits: Habits, terms: Terms) {
  const clusters: Cluster[] = []
  const tooLarge: Organization[] = []
  for (const organization of [...organizations].sort((a, b) => b.machines - a.machines)) {
    const own = sharesOf([organization], habits, terms)
    if (limits.some(limit => own[limit] > planned)) {
      tooLarge.push(organization)
      continue
    }
    const fits = ({ used }: Cluster) => limits.every(limit => used[limit] + own[limit] <= planned)
    // By size descending: the clusters that were opened first are the fullest.
    const cluster = clusters.find(fits) ?? open(clusters)
    cluster.organizations.push(organization)
    for (const limit of limits) cluster.used[limit] += own[limit]
  }
  return { clusters, tooLarge }
}

function open(clusters: Cluster[]): Cluster {
  const cluster: Cluster = { organizations: [], used: { log: 0, processor: 0, memory: 0, sockets: 0 } }
  clusters.push(cluster)
  return cluster
}

export const limits: readonly Limit[] = ['log', 'processor', 'memory', 'sockets']

/** What a day of a cluster came to. Waits are those of a send behind the work that was there before it, in ms. */
export interface Day {
  /** By rising wait: seconds of the day in which a send waited as long, as a sample of all. */
  waits: number[]
  /** Seconds in which clients of a dead hub, or of a log without a leader, could not send, for each machine. */
  gapS: number
  entries: number
  /** The longest time that the hubs which are left took until all sessions of a dead one were back, in s. */
  reconnectS: number
}

/** Plays one day, second by second: arrivals by chance, queues at each hub, deaths of hubs and of leaders. */
export function playDay(cluster: Cluster, random: Random, habits: Habits, terms: Terms): Day {
  const day: Day = { waits: [], gapS: 0, entries: 0, reconnectS: 0 }
  const deathsPerSecond = hubs / (habits.hubDiesEveryDays * 86_400)
  let backlogMs = 0
  let logBacklog = 0
  let deadUntil = -1
  for (let hour = 0; hour < 24; hour++) {
    const mean = sumOf(cluster.organizations.map(organization => loadAt(organization, hour, habits, terms)))
    const entryMs = mean.entries === 0 ? 0 : mean.mailMs / mean.entries
    for (let second = hour * 3600; second < (hour + 1) * 3600; second++) {
      const alive = second < deadUntil ? hubs - 1 : hubs
      // Now and then a second is as busy as the burst says.
      const crowd = random() < 1 / 60 ? habits.burst : 1
      const entries = poisson(random, mean.entries * crowd)
      const ms = mean.idleMs + entries * entryMs
      if (alive === hubs && random() < deathsPerSecond) {
        // A host is away for ten minutes; a third of the deaths are those of the log's leader.
        deadUntil = second + 600
        day.gapS += random() < 1 / 3 ? terms.leaderGapS : terms.hubGapS / hubs
        const storm = (mean.sessions / hubs) * terms.reconnectMs
        backlogMs += storm
        day.reconnectS = Math.max(day.reconnectS, storm / ((hubs - 1) * secondMs - mean.idleMs))
      }
      backlogMs = Math.max(0, backlogMs + ms - alive * secondMs)
      logBacklog = Math.max(0, logBacklog + entries - terms.logPerSecond)
      day.entries += entries
      if (second % sampleEvery === 0) {
        const busy = Math.min(0.99, ms / (alive * secondMs))
        // Besides what was left over, the mean wait of a queue with one server and even service (M/D/1).
        const queueMs = (busy / (2 * (1 - busy))) * terms.sendMs
        day.waits.push(backlogMs / alive + queueMs + (logBacklog / terms.logPerSecond) * secondMs)
      }
    }
  }
  day.waits.sort((a, b) => a - b)
  return day
}

/** A count of independent events with this mean: exact for small means, and normal for large ones. */
export function poisson(random: Random, mean: number): number {
  if (mean > 30) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal))
  }
  const floor = Math.exp(-mean)
  let count = -1
  for (let product = 1; product > floor; product *= random()) count++
  return Math.max(0, count)
}
