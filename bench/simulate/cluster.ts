import type { Random } from '../../test/support/random.ts'
import { loadAt, type Organization, sumOf } from './organizations.ts'
import { type Habits, host, planned, type Terms } from './terms.ts'

/** Work that a hub's main thread can do in a second, in ms. */
const secondMs = 1000

/** Seconds of the day between two samples of the wait. */
const sampleEvery = 60

/** Number of hubs of a cluster. */
export const hubs = 3

/** Use of each limit, as a share of what remains with one hub down. */
export type Limit = 'log' | 'processor' | 'memory' | 'sockets'

/** Three hubs over one log, with the organizations on them. */
export interface Cluster {
  organizations: Organization[]
  /** Shares of each limit in the busiest hour. */
  used: Record<Limit, number>
}

/** Returns the use in the busiest hour. The peaks of the organizations need not coincide, but capacity is planned as if they did. */
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

/** Places each organization, the largest first, on the first cluster with room for it. Those that fit on no cluster are `tooLarge`. */
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
    // Sizes descend, so the clusters that were opened first are the fullest.
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

/** Results of a day of a cluster. A wait is that of a send behind earlier work, in ms. */
export interface Day {
  /** Waits in a sample of the day's seconds, ascending. */
  waits: number[]
  /** Seconds in which clients of a failed hub, or of a log without a leader, could not send, per machine. */
  gapS: number
  entries: number
  /** Longest time in which the remaining hubs took over all sessions of a failed one, in s. */
  reconnectS: number
}

/** Simulates one day, second by second: random arrivals, queues at each hub, failures of hubs and leaders. */
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
      // Some seconds are as busy as a burst.
      const crowd = random() < 1 / 60 ? habits.burst : 1
      const entries = poisson(random, mean.entries * crowd)
      const ms = mean.idleMs + entries * entryMs
      if (alive === hubs && random() < deathsPerSecond) {
        // A host is down for ten minutes; a third of the failures are those of the log's leader.
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
        // Besides the backlog, the mean wait of a queue with one server and constant service time (M/D/1).
        const queueMs = (busy / (2 * (1 - busy))) * terms.sendMs
        day.waits.push(backlogMs / alive + queueMs + (logBacklog / terms.logPerSecond) * secondMs)
      }
    }
  }
  day.waits.sort((a, b) => a - b)
  return day
}

/** Returns a random count of independent events with this mean: exact for small means, approximated by a normal distribution for large ones. */
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
