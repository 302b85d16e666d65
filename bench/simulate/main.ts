// Computes the number of clusters of three hubs that many organizations need, and simulates one day: docs/scaling.md describes the model.
import { Command, InvalidArgumentError } from 'commander'
import { seededRandom } from '../../test/support/random.ts'
import { quantile } from '../load.ts'
import { type Cluster, hubs, type Limit, limits, place, playDay } from './cluster.ts'
import { drawOrganizations, loadAt, sumOf } from './organizations.ts'
import { type Habits, measured } from './terms.ts'

/** Maximum number of clusters whose day is simulated; of more, a random sample. */
const maxPlayed = 200

const options = new Command('node bench/simulate/main.ts')
  .description(
    'Plays a day of many organizations over clusters of three hubs, by the measured terms of bench/simulate/terms.ts.',
  )
  .option('--machines <number>', 'machines in all', toNumber, 1_000_000)
  .option('--messages <number>', 'messages that each sends in a day', toNumber, 60)
  .option('--sessions <number>', 'sessions on each machine', toNumber, 2)
  .option('--burst <factor>', 'the busiest second, in means of its hour', toNumber, 5)
  .option('--seed <number>', 'the same numbers for the same seed', toNumber, 1)
  .option('--json', 'print JSON')
  .parse()
  .opts<{ machines: number; messages: number; sessions: number; burst: number; seed: number; json?: boolean }>()

const habits: Habits = {
  machines: options.machines,
  messagesPerMachine: options.messages,
  recipients: 1.3,
  broadcasts: 4,
  sessionsPerMachine: options.sessions,
  burst: options.burst,
  retentionDays: 90,
  hubDiesEveryDays: 30,
}

const random = seededRandom(options.seed)
const organizations = drawOrganizations(random, habits, measured)
const { clusters, tooLarge } = place(organizations, habits, measured)
const played = [...clusters].sort(() => random() - 0.5).slice(0, maxPlayed)
const days = played.map((cluster, index) => {
  if (process.stderr.isTTY) process.stderr.write(`\rsimulate: cluster ${index + 1} of ${played.length}`)
  return playDay(cluster, random, habits, measured)
})
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')

const waits = days.flatMap(day => day.waits).sort((a, b) => a - b)
const perDay = days.reduce((sum, day) => sum + day.entries, 0) / days.length
const machinesOf = ({ organizations }: Cluster) => organizations.reduce((sum, { machines }) => sum + machines, 0)
const fullestOf = ({ used }: Cluster): Limit => limits.reduce((a, b) => (used[b] > used[a] ? b : a))
const fullest = Object.fromEntries(
  limits.map(limit => [limit, clusters.filter(cluster => fullestOf(cluster) === limit).length]),
)
const placed = clusters.reduce((sum, cluster) => sum + machinesOf(cluster), 0)
const peakEntries = Math.max(
  ...Array.from(
    { length: 24 },
    (_, hour) => sumOf(organizations.map(organization => loadAt(organization, hour, habits, measured))).entries,
  ),
)
const result = {
  machines: habits.machines,
  organizations: organizations.length,
  largestOrganization: Math.max(...organizations.map(({ machines }) => machines)),
  clusters: clusters.length,
  hubs: clusters.length * hubs,
  machinesPerCluster: Math.round(placed / clusters.length),
  tooLargeForACluster: {
    organizations: tooLarge.length,
    machines: habits.machines - placed,
    smallest: tooLarge.at(-1)?.machines ?? 0,
  },
  clustersByFullestLimit: fullest,
  entriesPerSecondAtPeak: Math.round(peakEntries),
  entriesPerClusterAndDay: Math.round(perDay),
  logGBPerClusterAndDay: round((perDay * measured.logBytes) / 1e9),
  storeGBPerHub: round((perDay * habits.retentionDays * measured.storeBytes) / 1e9),
  waitMs: { p50: round(quantile(waits, 0.5)), p99: round(quantile(waits, 0.99)), most: round(waits.at(-1)!) },
  reconnectS: round(Math.max(...days.map(({ reconnectS }) => reconnectS))),
  secondsWithoutSendsPerYear: round((days.reduce((sum, { gapS }) => sum + gapS, 0) / days.length) * 365),
}

if (options.json) console.log(JSON.stringify(result, undefined, 2))
else for (const [name, value] of Object.entries(result)) console.log(`${words(name).padEnd(34)}${shown(value)}`)

function words(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, (_, before, letter) => `${before} ${letter.toLowerCase()}`)
    .replace('gBPer', 'GB per')
}

function shown(value: number | Record<string, number>): string {
  if (typeof value === 'number') return value.toLocaleString('en-US')
  return Object.entries(value)
    .map(([name, each]) => `${name} ${each.toLocaleString('en-US')}`)
    .join(', ')
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}

function toNumber(text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a number above 0.')
}
