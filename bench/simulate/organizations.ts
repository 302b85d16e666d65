import type { Random } from '../../test/support/random.ts'
import type { Habits, Terms } from './terms.ts'

/** An organization on one cluster. Organizations exchange no messages. */
export interface Organization {
  machines: number
  /** Hours by which its working day starts after UTC's. */
  zone: number
  /** Its demand per second in its busiest hour. */
  peak: Load
}

/** Demand in one second: entries for the log, work of all hubs of the cluster in ms, and sessions online. */
export interface Load {
  entries: number
  /** Work for messages, which arrive in bursts. */
  mailMs: number
  /** Work for open sessions, which is the same in each second. */
  idleMs: number
  sessions: number
}

/** Smallest and largest organization, in machines. */
const smallest = 3
const largest = 20_000

/** Exponent of the sizes: most are small, and a few have a large part of all machines, as with firms (Axtell, Science 293, 2001: 1.06). */
const exponent = 1.06

/** Share of the day's messages in each hour of a working day; the other hours have a quarter of the mean. */
const workingHours = [1.6, 2.4, 2.6, 2.2, 1.4, 2.2, 2.6, 2.4, 2.0, 1.2]
const rest = 0.25

/** Most machines are in three regions. */
const zones = [-8, 1, 8]

/** Returns organizations of random sizes with `habits.machines` machines in total. */
export function drawOrganizations(random: Random, habits: Habits, terms: Terms): Organization[] {
  const organizations: Organization[] = []
  for (let left = habits.machines; left > 0; ) {
    const machines = Math.min(left, Math.round(Math.min(largest, smallest * (1 - random()) ** (-1 / exponent))))
    const zone = zones[Math.floor(random() * zones.length)]!
    organizations.push({ machines, zone, peak: loadOf(machines, Math.max(...workingHours), habits, terms) })
    left -= machines
  }
  return organizations
}

/** Returns the mean demand of an organization per second of `hour` (UTC). */
export function loadAt({ machines, zone }: Organization, hour: number, habits: Habits, terms: Terms): Load {
  const since = (((hour - 9 + zone) % 24) + 24) % 24
  return loadOf(machines, workingHours[Math.floor(since)] ?? rest, habits, terms)
}

function loadOf(machines: number, factor: number, habits: Habits, terms: Terms): Load {
  const { messagesPerMachine, recipients, broadcasts, sessionsPerMachine } = habits
  const perDay = factor / 86_400
  const sends = machines * messagesPerMachine * perDay
  const toAll = broadcasts * perDay
  const delivered = sends * recipients + toAll * machines
  const { sendMs, applyMs, deliveryMs, readMs, sessionShare } = terms
  const sessions = machines * sessionsPerMachine
  // All three hubs apply each delivery; one serves the read and the ack. An ack is an entry too.
  const mailMs = (sends + toAll) * (sendMs + 2 * applyMs) + delivered * (3 * deliveryMs + readMs + 2 * applyMs)
  return { entries: sends + toAll + delivered, mailMs, idleMs: sessions * sessionShare * 1000, sessions }
}

export function sumOf(loads: readonly Load[]): Load {
  const sum = { entries: 0, mailMs: 0, idleMs: 0, sessions: 0 }
  for (const load of loads)
    for (const key of ['entries', 'mailMs', 'idleMs', 'sessions'] as const) sum[key] += load[key]
  return sum
}
