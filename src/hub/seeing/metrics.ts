import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { HubsAnswer } from '../../protocol/hubs.ts'
import { version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import type { Commit } from '../journal/journal.ts'
import type { ResultOf } from '../state/commands.ts'
import { laterCount } from '../state/query/later.ts'
import { fullestInboxes } from '../state/query/near-bounds.ts'
import { allUnread, type UnreadOf } from '../state/query/unread.ts'
import { LastValues, type Quantiles } from './quantiles.ts'

/** Interval at which the delay of the event loop is sampled, in ms. */
const lagEveryMs = 20

/** Result of `Metrics.load`. Times are in ms, null if nothing has been measured yet. */
export interface Load {
  commitMs: Quantiles | null
  loopMs: Quantiles | null
  streams: number
  connections: { known: number; strangers: number }
  unreadAnswerBytes: number
}

/** Most members with series of their own: those with the oldest unread messages. */
const maxMembers = 1000

/** Open connections of the HTTP door, and bytes that clients have not read. */
export interface DoorCounts {
  /** Connections that have shown a valid token, and those that have not. */
  known: number
  strangers: number
  unreadBytes: number
}

/** Counts by label value, cheap for the hot path. They become series when metrics are read. */
type Counts = Map<string | number, number>

/**
 * The metrics of a hub in the format of Prometheus. Requests and commits only increment a number here; the rest is read from the hub when
 * metrics are requested.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = new Map<string, { method: string; route: string; byStatus: Counts }>()
  readonly #sends: Counts = new Map()
  readonly #laterDue: Counts = new Map()
  readonly #lag = monitorEventLoopDelay({ resolution: lagEveryMs })
  readonly #commitMs = new LastValues(1000)
  #entries = 0
  #failedLogins = 0
  #storageErrors = 0
  readonly #backups = { good: 0, failed: 0, isLastGood: true }
  #openStreams = 0
  #loopBrakes = 0
  /** Source of the newest backup: its time, in ms since 1970, and its size. */
  backups: { readonly newest: { time: number; bytes: number } | undefined } | undefined
  /** Source of the state of the tail; undefined without one. */
  tails: { status(): { behind: number; behindMs: number; bytes: number; trouble: string | null } } | undefined
  /** Source of the state of the Telegram bridge; undefined without one. */
  telegram: { status(): { trouble: string | null } } | undefined
  /** Returns the members that have used the most of their daily bound on sends. */
  nearDailyBound: ((least: number) => { used: number }[]) | undefined
  /** Source of the members that sent requests without TLS within a day. */
  plain: { readonly members: readonly { isRemote: boolean }[] } | undefined
  /** Source of the state of the hubs of this history; undefined, or with a status of null, for a standalone hub. */
  hubs: { status(): HubsAnswer | null } | undefined
  /** Source of the counts of the HTTP door. */
  door: { counts(): DoorCounts } | undefined
  readonly #commitSeconds: Histogram
  readonly #commitEntries: Histogram

  constructor() {
    const registers = [this.#registry]
    this.#commitSeconds = new Histogram({
      name: 'claude_net_commit_duration_seconds',
      help: 'Time to apply and fsync one batch of commands.',
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    })
    this.#commitEntries = new Histogram({
      name: 'claude_net_commit_batch_entries',
      help: 'Commands that shared one transaction and one fsync.',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
      registers,
    })
    this.#lag.enable()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Counts a batch that is on disk. */
  committed({ ms, entries, outcomes }: Commit): void {
    this.#commitSeconds.observe(ms / 1000)
    this.#commitMs.add(ms)
    this.#commitEntries.observe(entries.length)
    this.#entries += entries.length
    entries.forEach(({ command }, index) => {
      const outcome = outcomes[index]!
      if (command.type === 'later.deliver' && outcome.ok)
        raise(this.#laterDue, (outcome.result as ResultOf<typeof command>).became)
      if (command.type !== 'message.send') return
      raise(this.#sends, outcome.ok ? sendResult(outcome.result) : outcome.refusal.code)
    })
  }

  /** Returns a function that counts a response of one route by its status; without a route, of requests that match none. */
  answersOf(method: string, route: string | undefined): (status: number) => void {
    const series = route === undefined ? { method: 'any', route: 'none' } : { method, route }
    const key = `${series.method} ${series.route}`
    let known = this.#requests.get(key)
    if (!known) {
      known = { ...series, byStatus: new Map() }
      this.#requests.set(key, known)
    }
    const { byStatus } = known
    return status => raise(byStatus, status)
  }

  loginFailed(): void {
    this.#failedLogins++
  }

  storageFailed(): void {
    this.#storageErrors++
  }

  pairBraked(): void {
    this.#loopBrakes++
  }

  backupMade(isGood: boolean): void {
    this.#backups[isGood ? 'good' : 'failed']++
    this.#backups.isLastGood = isGood
  }

  streamOpened(): void {
    this.#openStreams++
  }

  streamClosed(): void {
    this.#openStreams--
  }

  /**
   * Returns all metrics in the text format of Prometheus. `auditUnwritten` is the number of refusals that the audit only counted. Series
   * that name a member are included only with `byMember`.
   */
  async text(hub: Hub, { auditUnwritten, byMember }: { auditUnwritten: number; byMember: boolean }): Promise<string> {
    const now = new Registry()
    this.#counters(now, auditUnwritten)
    membersNow(now, hub, byMember)
    const fullest = gauge(
      now,
      'claude_net_fullest_inbox_ratio',
      'Fill level of the fullest inbox: at 1 it accepts no more.',
    )
    fullest.set(fullestInboxes(hub.state.db, 0)[0]?.used ?? 0)
    const senders = gauge(
      now,
      'claude_net_daily_bound_used_ratio',
      'Largest part of its daily bound on sends that one member has used.',
    )
    senders.set(this.nearDailyBound?.(0)[0]?.used ?? 0)
    counter(now, 'claude_net_clock_steps_total', 'Times the wall clock of the hub was set while it ran.').inc(
      hub.clockSteps.count,
    )
    this.#backupsNow(now)
    this.#tailNow(now)
    this.#hubsNow(now)
    if (this.telegram) {
      const trouble = gauge(now, 'claude_net_telegram_trouble', 'Whether messages to or from Telegram fail: 1 or 0.')
      trouble.set(this.telegram.status().trouble === null ? 0 : 1)
    }
    this.#processNow(now)
    return (await Promise.all([this.#registry.metrics(), now.metrics()])).join('\n')
  }

  /** Returns the current load of the hub, for its admin. */
  load(): Load {
    const { known, strangers, unreadBytes } = this.door?.counts() ?? { known: 0, strangers: 0, unreadBytes: 0 }
    // The monitor measures the time from one sample to the next.
    const late = (percentile: number) => Math.max(0, this.#lag.percentile(percentile) / 1e6 - lagEveryMs)
    return {
      commitMs: this.#commitMs.quantiles() ?? null,
      loopMs: this.#lag.count === 0 ? null : { p50: late(50), p99: late(99), max: late(100) },
      streams: this.#openStreams,
      connections: { known, strangers },
      unreadAnswerBytes: unreadBytes,
    }
  }

  close(): void {
    this.#lag.disable()
  }

  #counters(now: Registry, auditUnwritten: number): void {
    counter(now, 'claude_net_entries_committed_total', 'Commands applied or refused, durably.').inc(this.#entries)
    counter(now, 'claude_net_failed_logins_total', 'Requests without a valid token.').inc(this.#failedLogins)
    counter(now, 'claude_net_storage_errors_total', 'Batches that the disk refused.').inc(this.#storageErrors)
    counter(now, 'claude_net_audit_unwritten_total', 'Refusals that the audit only counted.').inc(auditUnwritten)
    counter(now, 'claude_net_loop_brakes_total', 'Pairs of machines stopped because of what looked like a loop.').inc(
      this.#loopBrakes,
    )
    const sends = counter(now, 'claude_net_sends_total', 'Sends by result: stored, later, repeated, or why refused.', [
      'result',
    ])
    for (const [result, count] of new Map([['stored', 0], ...this.#sends])) sends.inc({ result }, count)
    const due = counter(now, 'claude_net_later_due_total', 'Scheduled messages that were due, by result.', ['result'])
    for (const result of ['sent', 'refused']) due.inc({ result }, this.#laterDue.get(result) ?? 0)
    const requests = counter(now, 'claude_net_http_requests_total', 'Responses by route and status.', [
      'method',
      'route',
      'status',
    ])
    for (const { method, route, byStatus } of this.#requests.values()) {
      for (const [status, count] of byStatus) requests.inc({ method, route, status }, count)
    }
    gauge(now, 'claude_net_open_streams', 'Open event streams.').set(this.#openStreams)
    const { known, strangers, unreadBytes } = this.door?.counts() ?? { known: 0, strangers: 0, unreadBytes: 0 }
    const connections = gauge(now, 'claude_net_open_connections', 'Open connections, by whether a token was shown.', [
      'token',
    ])
    connections.set({ token: 'valid' }, known)
    connections.set({ token: 'none' }, strangers)
    const plain = gauge(now, 'claude_net_plain_members', 'Members that sent a token without TLS within a day.', [
      'from',
    ])
    const members = this.plain?.members ?? []
    plain.set({ from: 'network' }, members.filter(({ isRemote }) => isRemote).length)
    plain.set({ from: 'loopback' }, members.filter(({ isRemote }) => !isRemote).length)
    gauge(now, 'claude_net_unread_answer_bytes', 'Bytes of responses that clients have not read yet.').set(unreadBytes)
    gauge(now, 'claude_net_build_info', 'The running version; always 1.', ['version']).set({ version }, 1)
  }

  #backupsNow(now: Registry): void {
    const made = counter(now, 'claude_net_backups_total', 'Backups by result.', ['result'])
    for (const result of ['good', 'failed'] as const) made.inc({ result }, this.#backups[result])
    const isGood = gauge(now, 'claude_net_backup_last_result', 'Whether the last backup succeeded: 1 or 0.')
    isGood.set(this.#backups.isLastGood ? 1 : 0)
    const newest = this.backups?.newest
    if (!newest) return
    const age = Math.max(0, Date.now() - newest.time) / 1000
    gauge(now, 'claude_net_backup_age_seconds', 'Age of the newest backup; missing while there is none.').set(age)
    gauge(now, 'claude_net_backup_size_bytes', 'Size of the newest backup.').set(newest.bytes)
  }

  #tailNow(now: Registry): void {
    const tail = this.tails?.status()
    if (!tail) return
    gauge(now, 'claude_net_tail_behind_entries', 'Entries that are not in the tail of the newest backup yet.').set(
      tail.behind,
    )
    gauge(now, 'claude_net_tail_behind_seconds', 'Time the oldest of these has waited.').set(tail.behindMs / 1000)
    gauge(now, 'claude_net_tail_size_bytes', 'Size of the tail of the newest backup.').set(tail.bytes)
    gauge(now, 'claude_net_tail_trouble', 'Whether the tail cannot be written: 1 or 0.').set(
      tail.trouble === null ? 0 : 1,
    )
  }

  #hubsNow(now: Registry): void {
    const answer = this.hubs?.status()
    if (!answer) return
    const isLive = gauge(now, 'claude_net_hub_live', 'Whether a hub of this history is running: 1 or 0.', ['hub'])
    const lag = gauge(now, 'claude_net_hub_lag_records', 'Records of the log that a hub has yet to apply.', ['hub'])
    const apart = gauge(
      now,
      'claude_net_hub_apart',
      'Whether a hub refuses commands because its outcomes differ from those of other hubs: 1 or 0.',
      ['hub'],
    )
    const duty = gauge(now, 'claude_net_hub_duty', 'Whether a hub acts for all hubs of its history: 1 or 0.', ['hub'])
    const rules = gauge(now, 'claude_net_hub_rules', 'Newest rules that the program of a hub supports.', ['hub'])
    for (const hub of answer.hubs) {
      isLive.set({ hub: hub.name }, hub.isLive ? 1 : 0)
      if (hub.lag != null) lag.set({ hub: hub.name }, hub.lag)
      apart.set({ hub: hub.name }, hub.apart == null ? 0 : 1)
      duty.set({ hub: hub.name }, hub.duty ? 1 : 0)
      rules.set({ hub: hub.name }, hub.entryVersion ?? 0)
    }
    gauge(now, 'claude_net_rules', 'Rules in force for the hubs of this history.').set(answer.rules ?? 0)
  }

  #processNow(now: Registry): void {
    const lag = (percentile: number) => (this.#lag.count === 0 ? 0 : this.#lag.percentile(percentile) / 1e9)
    const since = 'of the event loop since the last scrape.'
    gauge(now, 'claude_net_event_loop_lag_median_seconds', `Median delay ${since}`).set(lag(50))
    gauge(now, 'claude_net_event_loop_lag_p99_seconds', `99th percentile of the delay ${since}`).set(lag(99))
    gauge(now, 'claude_net_event_loop_lag_max_seconds', `Longest delay ${since}`).set(lag(100))
    this.#lag.reset()
    const { rss, heapUsed } = process.memoryUsage()
    gauge(now, 'claude_net_process_resident_memory_bytes', 'Resident memory.').set(rss)
    gauge(now, 'claude_net_process_heap_used_bytes', 'JavaScript heap in use.').set(heapUsed)
    const { user, system } = process.cpuUsage()
    counter(now, 'claude_net_process_cpu_seconds_total', 'Processor time, user and system.').inc((user + system) / 1e6)
    gauge(now, 'claude_net_process_start_time_seconds', 'Start of the process, since 1970.').set(
      Math.round(performance.timeOrigin) / 1000,
    )
  }
}

function membersNow(now: Registry, { state, presence }: Hub, byMember: boolean): void {
  const all = allUnread(state.db)
  if (byMember) unreadNow(now, all)
  const unread = gauge(now, 'claude_net_unread_messages_of_all', 'Unread messages of all members together.')
  unread.set(all.reduce((sum, member) => sum + member.unread, 0))
  gauge(now, 'claude_net_later_messages', 'Scheduled messages that wait, of all members together.').set(
    laterCount(state.db),
  )
  const members = gauge(now, 'claude_net_members', 'Members by kind.', ['kind'])
  const online = gauge(now, 'claude_net_online_members', 'Members with a live session, by kind.', ['kind'])
  for (const kind of ['machine', 'human', 'service'] as const) {
    const ofKind = all.filter(member => member.kind === kind)
    members.set({ kind }, ofKind.length)
    if (kind !== 'service') online.set({ kind }, ofKind.filter(({ id }) => presence.of(id).online).length)
  }
}

/** Adds the series of the first `maxMembers` of `all`, which is sorted by the oldest unread message. */
function unreadNow(now: Registry, all: readonly UnreadOf[]): void {
  const time = Date.now()
  const unread = gauge(now, 'claude_net_unread_messages', 'Unread messages of a member.', ['member'])
  const age = gauge(now, 'claude_net_oldest_unread_age_seconds', 'Age of the oldest unread message; 0 without one.', [
    'member',
  ])
  for (const { name: member, unread: count, oldestAt } of all.slice(0, maxMembers)) {
    unread.set({ member }, count)
    age.set({ member }, oldestAt === null ? 0 : Math.max(0, time - oldestAt) / 1000)
  }
}

function sendResult(result: object): 'stored' | 'repeated' | 'later' {
  const { repeated, at } = result as { repeated?: boolean; at?: number }
  return repeated ? 'repeated' : at === undefined ? 'stored' : 'later'
}

function raise(counts: Counts, label: string | number): void {
  counts.set(label, (counts.get(label) ?? 0) + 1)
}

function counter(registry: Registry, name: string, help: string, labelNames: string[] = []): Counter {
  return new Counter({ name, help, labelNames, registers: [registry] })
}

function gauge(registry: Registry, name: string, help: string, labelNames: string[] = []): Gauge {
  return new Gauge({ name, help, labelNames, registers: [registry] })
}
