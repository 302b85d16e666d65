import type { OutgoingEvent, OutgoingFilter } from '../outgoing-commands.ts'
import type { Database } from '../store/database.ts'

/** The meaning of a name in a filter: a member, or the members of a group at the time of the event. */
export type Whom = { member: number } | { group: string }

export type StoredFilter = OutgoingFilter<Whom>

/** A webhook that posts events. Times are ms since 1970, `beforeUntil` in steady time. */
export interface OutgoingRow {
  id: number
  name: string
  url: string
  filters: string
  template: string | null
  withText: 0 | 1
  secret: string
  secretBefore: string | null
  beforeUntil: number | null
  createdAt: number
  seq: number
  part: number
  goneAt: number | null
  delivered: number
  deliveredAt: number | null
}

const columns = `id, name, url, filters, template, with_text as withText, secret, secret_before as secretBefore,
  before_until as beforeUntil, created_at as createdAt, seq, part, gone_at as goneAt, delivered, delivered_at as deliveredAt`

/** Returns all webhooks that post events, by name. */
export function outgoingWebhooks(db: Database): OutgoingRow[] {
  return db.all<OutgoingRow>(`select ${columns} from outgoing order by name`)
}

export function outgoingNamed(db: Database, name: string): OutgoingRow | undefined {
  return db.get<OutgoingRow>(`select ${columns} from outgoing where name = ?`, name)
}

export function outgoingById(db: Database, id: number): OutgoingRow | undefined {
  return db.get<OutgoingRow>(`select ${columns} from outgoing where id = ?`, id)
}

export function hasOutgoing(db: Database): boolean {
  return db.get('select 1 from outgoing limit 1') !== undefined
}

/**
 * An event that failed. `due`, `since` and `tried` are in steady time; `writtenAt`, in ms since 1970, is the time of the last try, or of
 * giving up.
 */
export interface FailedEvent extends Omit<OutgoingEvent, 'changed' | 'detail'> {
  changed: number | null
  detail: string | null
  since: number
  tried: number
  due: number | null
  attempts: number
  why: string
  writtenAt: number
}

const eventColumns = 'id, kind, seq, changed, at, detail, since, tried, due, attempts, why, written as writtenAt'

/** Returns the events of a webhook that wait for a retry, by the time they are due. */
export function waitingEvents(db: Database, webhook: number): FailedEvent[] {
  return db.all<FailedEvent>(
    `select ${eventColumns} from outgoing_event where webhook = ? and due is not null order by due, id`,
    webhook,
  )
}

/** Returns the numbers of events of a webhook that wait for a retry, and that were given up. */
export function undelivered(db: Database, webhook: number): { waiting: number; dead: number } {
  return db.get<{ waiting: number; dead: number }>(
    'select count(due) as waiting, count(*) - count(due) as dead from outgoing_event where webhook = ?',
    webhook,
  )!
}

/** Returns the events of a webhook that were given up, newest first. */
export function deadEvents(db: Database, webhook: number, limit: number): FailedEvent[] {
  return db.all<FailedEvent>(
    `select ${eventColumns} from outgoing_event where webhook = ? and due is null order by entry desc, id limit ?`,
    webhook,
    limit,
  )
}
