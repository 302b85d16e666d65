import { type Command, type DatedEntry, done, NewerEntry, type Outcome } from '../commands.ts'
import type { OutgoingCommand, OutgoingEvent, OutgoingFilter, OutgoingPlace } from '../outgoing-commands.ts'
import { groupExists, memberMeant, nameTaken, senderMeant } from '../query/find-member.ts'
import { outgoingNamed, type StoredFilter, type Whom } from '../query/outgoing.ts'
import { type Refused, refuse, refuseUnknown } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'

type Of<Type extends OutgoingCommand['type']> = DatedEntry<Extract<OutgoingCommand, { type: Type }>>

export function isOutgoing(command: Command): command is OutgoingCommand {
  return command.type.startsWith('outgoing.')
}

/** Carries out one command about the webhooks that post events. Does nothing for a webhook that was deleted. */
export function applyOutgoing(db: Database, entry: DatedEntry<OutgoingCommand>): Outcome {
  const { seq, time, steady, command } = entry
  switch (command.type) {
    case 'outgoing.add':
      return add(db, { seq, time, steady, command })
    case 'outgoing.remove':
      return remove(db, command.name)
    case 'outgoing.rotate':
      return rotate(db, { seq, time, steady, command })
    case 'outgoing.delivered':
      db.run('delete from outgoing_event where webhook = ? and id = ?', command.webhook, command.event)
      db.run('update outgoing set delivered = delivered + 1, delivered_at = ? where id = ?', time, command.webhook)
      if (command.upTo) passTo(db, command.webhook, command.upTo)
      return done({})
    case 'outgoing.passed':
      passTo(db, command.webhook, command.upTo)
      return done({})
    case 'outgoing.failed':
      return failed(db, { seq, time, steady, command })
    case 'outgoing.gone':
      return gone(db, { seq, time, steady, command })
    case 'outgoing.resume':
      db.run('update outgoing set gone_at = null, seq = ?, part = 0 where id = ?', seq, command.webhook)
      return done({}, { outgoingChanged: true })
    case 'outgoing.note':
      return note(db, { seq, time, steady, command })
    case 'outgoing.retry':
      return retry(db, { seq, time, steady, command })
    case 'outgoing.drop':
      return drop(db, command.name)
    default:
      throw new NewerEntry(`unknown command ${(command as Command).type}`)
  }
}

/** Creates a webhook; events after this entry are posted. */
function add(db: Database, { seq, time, command }: Of<'outgoing.add'>): Outcome {
  const { name, url, on, template = null, withText, secret } = command
  const taken = nameTaken(db, name)
  if (taken) return refuse('conflict', { code: 'name_taken', name, taken, wanted: 'name' })
  const { n } = db.get<{ n: number }>('select count(*) as n from outgoing')!
  if (n >= limits.outgoing) return refuse('conflict', { code: 'outgoing_full', most: limits.outgoing })
  const filters: StoredFilter[] = []
  for (const filter of on) {
    const found = resolve(db, filter)
    if ('ok' in found) return found
    filters.push(found)
  }
  db.run(
    'insert into outgoing (name, url, filters, template, with_text, secret, created_at, seq) values (?, ?, ?, ?, ?, ?, ?, ?)',
    ...[name, url, JSON.stringify(filters), template, withText ? 1 : 0, secret, time, seq],
  )
  return done<Extract<OutgoingCommand, { type: 'outgoing.add' }>>({ name }, { outgoingChanged: true })
}

/** Resolves members to their ids, so that a rename changes nothing; groups are stored by name. */
function resolve(db: Database, { from, to, ...filter }: OutgoingFilter): StoredFilter | Refused {
  const found: StoredFilter = { ...filter }
  if (from !== undefined) {
    const whom = whomOf(db, from, senderMeant(db, from))
    if ('ok' in whom) return whom
    found.from = whom
  }
  if (to !== undefined) {
    const whom = whomOf(db, to, memberMeant(db, to))
    if ('ok' in whom) return whom
    found.to = whom
  }
  return found
}

function whomOf(db: Database, typed: string, member: { id: number } | undefined): Whom | Refused {
  if (member) return { member: member.id }
  return groupExists(db, typed) ? { group: typed } : refuseUnknown(typed)
}

function remove(db: Database, name: string): Outcome {
  const found = outgoingNamed(db, name)
  if (!found) return refuse('not_found', { code: 'no_outgoing', name })
  const undelivered = db.run('delete from outgoing_event where webhook = ?', found.id)
  db.run('delete from outgoing where id = ?', found.id)
  return done<Extract<OutgoingCommand, { type: 'outgoing.remove' }>>({ name, undelivered }, { outgoingChanged: true })
}

function rotate(db: Database, { steady, command: { name, secret } }: Of<'outgoing.rotate'>): Outcome {
  const until = steady + limits.outgoingOverlapMs
  const changed = db.run(
    'update outgoing set secret_before = secret, before_until = ?, secret = ? where name = ?',
    until,
    secret,
    name,
  )
  if (changed === 0) return refuse('not_found', { code: 'no_outgoing', name })
  return done<Extract<OutgoingCommand, { type: 'outgoing.rotate' }>>({ name }, { outgoingChanged: true })
}

function passTo(db: Database, webhook: number, { seq, part }: OutgoingPlace): void {
  db.run('update outgoing set seq = ?2, part = ?3 where id = ?1 and (seq, part) < (?2, ?3)', ...[webhook, seq, part])
}

function failed(db: Database, { seq, time, command }: Of<'outgoing.failed'>): Outcome {
  const { webhook, event, why, tried, due, upTo } = command
  if (!exists(db, webhook)) return done({})
  insert(db, webhook, event, { tried, due, attempts: 1, why, time, entry: seq })
  if (due === null) boundDead(db, webhook)
  if (upTo) passTo(db, webhook, upTo)
  return done({})
}

function gone(db: Database, { seq, time, command: { webhook } }: Of<'outgoing.gone'>): Outcome {
  db.run('update outgoing set gone_at = ? where id = ?', time, webhook)
  db.run(
    `update outgoing_event set due = null, written = ?, entry = ? where webhook = ? and due is not null`,
    ...[time, seq, webhook],
  )
  boundDead(db, webhook)
  return done({}, { outgoingChanged: true })
}

/** Stores an event for webhooks, except for one that has it already, as a dead letter or not, or has too many undelivered ones. */
function note(db: Database, { seq, time, steady, command: { webhooks, event } }: Of<'outgoing.note'>): Outcome {
  for (const webhook of webhooks) {
    if (!exists(db, webhook)) continue
    const { n } = db.get<{ n: number }>(
      'select count(*) as n from outgoing_event where webhook = ? and due is not null',
      webhook,
    )!
    const isThere = db.get('select 1 from outgoing_event where webhook = ? and id = ?', webhook, event.id)
    if (isThere || n >= limits.outgoingNoted) continue
    insert(db, webhook, event, { tried: steady, due: steady, attempts: 0, why: '', time, entry: seq })
  }
  return done({}, { outgoingChanged: true })
}

function retry(db: Database, { seq, time, steady, command: { name, event } }: Of<'outgoing.retry'>): Outcome {
  const found = outgoingNamed(db, name)
  if (!found) return refuse('not_found', { code: 'no_outgoing', name })
  if (found.goneAt !== null) return refuse('conflict', { code: 'outgoing_gone', name })
  const retried = db.run(
    `update outgoing_event set due = ?2, since = ?2, tried = ?2, attempts = 0, written = ?3, entry = ?4
     where webhook = ?1 and due is null and (?5 is null or id = ?5)`,
    ...[found.id, steady, time, seq, event ?? null],
  )
  if (event !== undefined && retried === 0) return refuse('not_found', { code: 'no_dead_letter', id: event })
  return done<Extract<OutgoingCommand, { type: 'outgoing.retry' }>>({ name, retried }, { outgoingChanged: true })
}

function drop(db: Database, name: string): Outcome {
  const found = outgoingNamed(db, name)
  if (!found) return refuse('not_found', { code: 'no_outgoing', name })
  const dropped = db.run('delete from outgoing_event where webhook = ? and due is null', found.id)
  return done<Extract<OutgoingCommand, { type: 'outgoing.drop' }>>({ name, dropped })
}

function exists(db: Database, webhook: number): boolean {
  return db.get('select 1 from outgoing where id = ?', webhook) !== undefined
}

interface Try {
  tried: number
  due: number | null
  attempts: 0 | 1
  why: string
  time: number
  entry: number
}

function insert(
  db: Database,
  webhook: number,
  { id, kind, seq, changed, at, detail }: OutgoingEvent,
  { tried, due, attempts, why, time, entry }: Try,
): void {
  db.run(
    `insert into outgoing_event (webhook, id, kind, seq, changed, at, detail, since, tried, due, attempts, why, written, entry)
     values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12, ?13)
     on conflict (webhook, id) do update set tried = ?8, due = ?9, attempts = attempts + ?10, why = ?11, written = ?12, entry = ?13`,
    ...[webhook, id, kind, seq, changed ?? null, at, detail ?? null, tried, due, attempts, why, time, entry],
  )
}

/** Deletes the oldest dead letters above the limit. */
function boundDead(db: Database, webhook: number): void {
  db.run(
    `delete from outgoing_event where webhook = ?1 and due is null and id in (
       select id from outgoing_event where webhook = ?1 and due is null order by entry desc, id limit -1 offset ?2)`,
    webhook,
    limits.outgoingDead,
  )
}
