import type { ProjectScope } from '../../../protocol/projects.ts'
import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import { isNotYetTold, unreadCount } from '../query/inbox.ts'
import { isInScope } from '../query/projects.ts'
import type { Database } from '../store/database.ts'
import { settleUnread } from './unread.ts'

type Fetched = CommandOf<'inbox.fetched'>
type Told = CommandOf<'inbox.told'>
type Ack = CommandOf<'inbox.ack'>

interface DeliveryRow {
  id: string
  seq: number
  sender: number
  project: string | null
  /** 1 once it is acked or has expired. */
  settled: 0 | 1
}

/** Records the session that fetched these messages; of several the last one. */
export function applyFetched(db: Database, { seq, time, command }: Entry<Fetched>): Outcome<Fetched> {
  const found = deliveriesOf(db, command.by, command.ids, command.project)
  const open = found.filter(({ settled }) => !settled)
  db.run(
    `update delivery set fetched_at = ?, fetched_by = ?, fetched_project = ?, changed = ?
     where recipient = ? and seq in (select value from json_each(?))`,
    time,
    command.session,
    command.project || null,
    seq,
    command.by,
    seqsOf(open),
  )
  const { known: fetched, unknown } = split(command.ids, found)
  return done<Fetched>({ fetched, unknown }, { wake: sendersOf(open) })
}

/**
 * Notes that a session was notified of unread messages: the first time, and once more when a session is woken for messages that a hook had
 * announced. Returns how many it noted.
 */
export function applyTold(db: Database, { time, command }: Entry<Told>): Outcome<Told> {
  const told = db.run(
    `update delivery set told_at = ?1, told_how = ?2
     where recipient = ?3 and ${isNotYetTold('?2')}
       and seq in (select m.seq from json_each(?4) asked join message m on m.id = asked.value)`,
    time,
    command.how,
    command.by,
    JSON.stringify(command.ids),
  )
  return done<Told>({ told })
}

/** Marks messages as read. Messages that are read or have expired stay unchanged; unknown ids are returned. */
export function applyAck(db: Database, { seq, time, command }: Entry<Ack>): Outcome<Ack> {
  const { found, senders } = ackDeliveries(db, { seq, time }, command.by, command.ids, command.project)
  const { known: acked, unknown } = split(command.ids, found)
  const unread = unreadCount(db, command.by, command.project)
  return done<Ack>({ acked, unknown, unread }, { wake: senders })
}

/**
 * Acks messages in `recipient`'s inbox, if they are in `scope`. Returns the ids that are, or were, in the inbox, and the senders of
 * messages that became read only now.
 */
export function ackDeliveries(
  db: Database,
  at: { seq: number; time: number },
  recipient: number,
  ids: readonly string[],
  scope?: ProjectScope,
): { found: DeliveryRow[]; senders: number[] } {
  const found = deliveriesOf(db, recipient, ids, scope)
  const open = found.filter(({ settled }) => !settled)
  if (open.length > 0) {
    db.run(
      `update delivery set acked_at = ?, changed = ?
       where recipient = ? and seq in (select value from json_each(?))`,
      at.time,
      at.seq,
      recipient,
      seqsOf(open),
    )
    settleUnread(db, recipient, open)
  }
  return { found, senders: sendersOf(open) }
}

/** Returns each delivery once, without those outside of `scope`. */
function deliveriesOf(
  db: Database,
  recipient: number,
  ids: readonly string[],
  scope: ProjectScope | undefined,
): DeliveryRow[] {
  const found = db.all<DeliveryRow>(
    `select m.id, d.seq, d.sender, d.project, d.acked_at is not null or d.expired_at is not null as settled
     from json_each(?2) asked join message m on m.id = asked.value join delivery d on d.seq = m.seq and d.recipient = ?1`,
    recipient,
    JSON.stringify([...new Set(ids)]),
  )
  return scope === undefined ? found : found.filter(({ project }) => isInScope(project, scope))
}

function seqsOf(deliveries: DeliveryRow[]): string {
  return JSON.stringify(deliveries.map(({ seq }) => seq))
}

function sendersOf(deliveries: DeliveryRow[]): number[] {
  return [...new Set(deliveries.map(({ sender }) => sender))]
}

function split(ids: readonly string[], found: DeliveryRow[]): { known: string[]; unknown: string[] } {
  const there = new Set(found.map(({ id }) => id))
  return { known: ids.filter(id => there.has(id)), unknown: ids.filter(id => !there.has(id)) }
}
