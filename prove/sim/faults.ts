import { between, chanceOf, pick, type Random } from './random.ts'

/** All faults that a plan may have: see `drawPlan`. */
export const faultNames = [
  'kill',
  'power',
  'kill at sync',
  'power at sync',
  'sync fails',
  'slow disk',
  'full disk',
  'restart',
  'stop',
  'clock step',
  'checkpoint',
  'cut',
  'slow network',
  'request lost',
  'answer lost',
  'stream dropped',
  'client killed',
  'log request lost',
  'log answer lost',
  'log request repeated',
] as const
export type FaultName = (typeof faultNames)[number]

/** `send` retries a send until it gets a response, `outbox` sends through the program's own outbox, `receipts` requests receipts. */
export const activities = ['send', 'outbox', 'receipts'] as const
export type Activity = (typeof activities)[number]

/**
 * The input of a simulation. The same plan leads to the same schedule. `only` restricts the faults that strike to those with these numbers,
 * which is how a failure is shrunk.
 */
export interface Plan {
  seed: number
  /** One hub has the local journal, or a log if `overLog`; several share a log. */
  hubs: number
  overLog: boolean
  clients: number
  /** Time in which clients start operations and faults strike, in simulated seconds. */
  seconds: number
  faults: Partial<Record<FaultName, number>>
  /** Activities of clients besides reading, following and heartbeats. Default: all. */
  does?: readonly Activity[]
  only?: readonly number[]
  /** Number of sessions on each machine that are notified of its messages; none by default. */
  sessions?: number
  /** Whether each session has a project, and some messages are for one. */
  projects?: boolean
}

/** Maximum probability of each fault per opportunity. The opportunity is a request, record or event unless noted. */
const most: Record<FaultName, number> = {
  kill: 0.01, // per step of a hub
  power: 0.01, // per step of a hub
  'kill at sync': 0.1,
  'power at sync': 0.15,
  'sync fails': 0.05,
  'slow disk': 0.3,
  'full disk': 0.1, // per half a second, like the following ones
  restart: 0.1,
  stop: 0.1,
  'clock step': 0.15,
  checkpoint: 0.3,
  cut: 0.2,
  'client killed': 0.4,
  'slow network': 0.2,
  'request lost': 0.1,
  'answer lost': 0.15,
  'stream dropped': 0.05,
  'log request lost': 0.1,
  'log answer lost': 0.1,
  'log request repeated': 0.1,
}

/** One history in this many is long; the others are short, with few faults each. */
const longEvery = 50

/** Faults that reveal what is on disk, mostly in pairs: a short history often has only these. */
const diskFaults = ['kill', 'power', 'kill at sync', 'power at sync', 'sync fails', 'slow disk', 'checkpoint'] as const

/** Returns the plan of a seed. */
export function drawPlan(seed: number): Plan {
  const random = chanceOf(seed, 'plan')
  return random() < 1 / longEvery ? drawLong(seed, random) : drawShort(seed, random)
}

/** Draws a plan with few clients, about a second of simulated time and one to three kinds of fault, each at up to three times its usual rate. */
function drawShort(seed: number, random: Random): Plan {
  const overLog = random() < 0.5
  const faults: Plan['faults'] = {}
  const kinds = random() < 0.05 ? 0 : 1 + Math.floor(random() * 3)
  const possible = faultNames.filter(name => overLog || !name.startsWith('log '))
  const chosen = random() < 0.4 ? diskFaults : possible
  for (let count = 0; count < kinds; count++) {
    const name = pick(random, chosen)
    faults[name] = rate(most[name] * between(random, 0.3, 3))
  }
  return {
    seed,
    hubs: overLog && random() < 0.4 ? 2 : 1,
    overLog,
    clients: random() < 0.7 ? 2 : 3,
    seconds: Number(between(random, 0.2, 0.9).toFixed(2)),
    faults,
    does: drawActivities(random),
    ...drawSessions(random, 0.3),
  }
}

/** Draws a plan with up to 22 simulated seconds and a random selection of faults and rates; one in eight has none. */
function drawLong(seed: number, random: Random): Plan {
  const overLog = random() < 0.5
  const isCalm = random() < 0.125
  const share = between(random, 0.15, 0.7)
  const faults: Plan['faults'] = {}
  for (const name of faultNames)
    if (random() < share && !isCalm) faults[name] = rate(most[name] * between(random, 0.2, 1))
  return {
    seed,
    hubs: overLog ? 1 + Math.floor(random() * 3) : 1,
    overLog,
    clients: 2 + Math.floor(random() * 3),
    seconds: Number((0.5 + 1.5 * random() + 20 * random() ** 10).toFixed(1)),
    faults,
    ...drawSessions(random, 0.5),
  }
}

function drawActivities(random: Random): Activity[] {
  const does = activities.filter(() => random() < 0.6)
  return does.includes('send') || does.includes('outbox') ? does : [...does, random() < 0.5 ? 'send' : 'outbox']
}

function drawSessions(random: Random, share: number): Pick<Plan, 'sessions' | 'projects'> {
  return random() < share ? { sessions: random() < 0.5 ? 1 : 2, projects: random() < 0.5 } : {}
}

function rate(chance: number): number {
  return Number(Math.min(chance, 0.9).toFixed(4))
}

/** Decides by the plan which faults strike. */
export class Faults {
  readonly random: Random
  /** Faults that struck, in order. */
  readonly struck: { number: number; name: FaultName; at: number }[] = []
  readonly #plan: Plan
  readonly #only: ReadonlySet<number> | undefined
  readonly #delays: Random
  readonly #now: () => number
  readonly #cuts = new Map<string, number>()
  #number = 0
  #isCalm = true

  constructor(plan: Plan, now: () => number) {
    this.#plan = plan
    this.#only = plan.only && new Set(plan.only)
    this.random = chanceOf(plan.seed, 'faults')
    this.#delays = chanceOf(plan.seed, 'delays')
    this.#now = now
  }

  /** Stops faults, or allows them again. */
  set isCalm(isCalm: boolean) {
    this.#isCalm = isCalm
    if (isCalm) this.#cuts.clear()
  }

  /** Draws whether this fault strikes at this opportunity. */
  strikes(name: FaultName): boolean {
    const rate = this.#plan.faults[name]
    if (rate === undefined || this.#isCalm || this.random() >= rate) return false
    const number = ++this.#number
    if (this.#only && !this.#only.has(number)) return false
    this.struck.push({ number, name, at: this.#now() })
    return true
  }

  /** Draws a delay, in ms. */
  delay(way: 'network' | 'log' | 'log watch' | 'disk'): number {
    const usual = { network: 5, log: 2, 'log watch': 20, disk: 2 }[way]
    const isSlow = this.strikes(way === 'disk' ? 'slow disk' : 'slow network')
    return usual * (0.1 + this.#delays()) * (isSlow ? between(this.#delays, 5, 500) : 1)
  }

  /** Cuts the connection between the two for `ms`. */
  cut(one: string, other: string, ms: number): void {
    this.#cuts.set(`${one} ${other}`, this.#now() + ms)
  }

  isCut(one: string, other: string): boolean {
    return [`${one} ${other}`, `${other} ${one}`].some(pair => (this.#cuts.get(pair) ?? 0) > this.#now())
  }
}
