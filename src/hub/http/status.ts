import { statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { behind } from '../../protocol/client-version.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { HubKey } from '../../protocol/hub-key.ts'
import type { TelegramStatus } from '../../protocol/telegram.ts'
import { version } from '../../protocol/version.ts'
import { databaseFile, type Hub } from '../hub.ts'
import type { Backups } from '../keeping/backups.ts'
import type { Tails } from '../keeping/tails.ts'
import type { Metrics } from '../seeing/metrics.ts'
import type { Hubs } from '../sharing/hubs.ts'
import { memberById } from '../state/query/find-member.ts'
import { fullestInboxes } from '../state/query/near-bounds.ts'
import { allUnread, type UnreadOf } from '../state/query/unread.ts'
import { timestamp } from '../state/timestamp.ts'
import type { TelegramAdmin } from '../telegram-admin.ts'
import type { Handlers } from './handler.ts'
import type { WriteProbe } from './health.ts'
import type { Limits } from './limits.ts'
import type { PlainRequests } from './plain-requests.ts'

/** Most inboxes in the list, those with the oldest unread message first; they fit on one screen. */
const maxInboxes = 10

/** Used part of a bound, from 0 to 1, from which a member is reported as near it. */
const nearFrom = 0.8

interface StatusSources {
  dataDir: string
  backups: Backups
  tails?: Pick<Tails, 'status'>
  probe: WriteProbe
  telegram?: TelegramAdmin
  limits: Limits
  plain: PlainRequests
  hubKey: () => HubKey | undefined
  hubs: Pick<Hubs, 'status'>
  watch: { metrics: Pick<Metrics, 'load'> }
}

/** `GET /v1/admin/status`. */
export function status({
  dataDir,
  backups,
  tails,
  probe,
  telegram,
  limits,
  plain,
  hubKey,
  hubs,
  watch,
}: StatusSources): Handlers['status'] {
  return async ({ hub }) => {
    // Read before the probe: the tail does not have the probe's own entry yet.
    const tail = tails?.status() ?? null
    const notReady = await probe(hub).then(
      () => null,
      error => (error instanceof ClaudeNetError ? error.message : 'The store refuses writes.'),
    )
    const all = allUnread(hub.state.db)
    const waiting = all.filter(({ unread }) => unread > 0)
    const listed = waiting.filter(({ oldestAt }) => oldestAt !== null).slice(0, maxInboxes)
    const backup = backups.newest
    return {
      version,
      hubKey: hubKey() ?? null,
      // Derived from the current clock: at the start the clock may have been wrong.
      startedAt: timestamp(Math.round(Date.now() - performance.now())),
      ready: notReady === null,
      notReady,
      store: storeOf(hub, dataDir),
      clock: clockOf(hub),
      load: watch.metrics.load(),
      lastBackup: backup ? { at: timestamp(backup.time), bytes: backup.bytes } : null,
      tail,
      telegram: telegram ? telegramOf(telegram.status()) : null,
      hubs: hubs.status(),
      members: membersOf(hub, all),
      behind: behindOf(hub, all),
      plain: {
        from: plain.from,
        members: plain.members.map(({ name, lastAt, isRemote }) => ({ name, lastAt: timestamp(lastAt), isRemote })),
      },
      unread: waiting.reduce((sum, { unread }) => sum + unread, 0),
      oldestUnreadAt: waiting[0]?.oldestAt == null ? null : timestamp(waiting[0].oldestAt),
      inboxes: listed.map(({ id, name, kind, unread, oldestAt }) => {
        const { online, lastSeenAt } = hub.presence.of(id)
        const seen = lastSeenAt === null ? null : timestamp(lastSeenAt)
        return { name, kind, unread, oldestAt: timestamp(oldestAt ?? 0), online, lastSeenAt: seen }
      }),
      nearBounds: nearBounds(hub, limits),
      moreInboxes: waiting.length - listed.length,
    }
  }
}

function storeOf({ state }: Hub, dataDir: string) {
  const { user_version: schema } = state.db.get<{ user_version: number }>('pragma user_version')!
  const path = join(dataDir, databaseFile)
  const bytes = [path, `${path}-wal`].reduce(
    (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  )
  const { bavail, bsize } = statfsSync(dataDir)
  const { epoch, seq } = state.position
  return { epoch, seq, schema, bytes, freeBytes: bavail * bsize }
}

function clockOf({ clockSteps: { count, last } }: Hub) {
  return last ? { steps: count, byMs: last.byMs, atStart: last.atStart, at: timestamp(last.at) } : null
}

function nearBounds({ state: { db } }: Hub, limits: Limits) {
  const inboxes = fullestInboxes(db, nearFrom).map(({ name, used }) => ({ bound: 'inbox' as const, name, used }))
  const senders = limits
    .nearDailyBound(nearFrom)
    .map(({ member, used }) => ({ bound: 'daily' as const, name: memberById(db, member)?.name ?? '?', used }))
  return [...inboxes, ...senders]
    .sort((a, b) => b.used - a.used)
    .slice(0, maxInboxes)
    .map(({ used, ...rest }) => ({ ...rest, percent: Math.min(100, Math.round(used * 100)) }))
}

function telegramOf({ bot, lastPollAt, trouble, people, carriedBy }: TelegramStatus) {
  return {
    bot,
    lastPollAt,
    trouble,
    ...(carriedBy !== undefined && { carriedBy }),
    waiting: people.reduce((sum, { waiting }) => sum + waiting, 0),
    unconfirmed: people.filter(({ by }) => by === 'nobody').map(({ name }) => name),
  }
}

function membersOf({ presence }: Hub, all: readonly UnreadOf[]) {
  const online = (kind: UnreadOf['kind']) =>
    all.filter(member => member.kind === kind && presence.of(member.id).online).length
  const count = (kind: UnreadOf['kind']) => all.filter(member => member.kind === kind).length
  return {
    machines: count('machine'),
    onlineMachines: online('machine'),
    humans: count('human'),
    onlineHumans: online('human'),
    services: count('service'),
  }
}

function behindOf({ presence }: Hub, all: readonly UnreadOf[]) {
  return all
    .map(({ id, name }) => {
      const clients = presence.sessionsOf(id).map(({ client }) => client)
      return { name, clients: behind(clients, version) }
    })
    .filter(({ clients }) => clients.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
