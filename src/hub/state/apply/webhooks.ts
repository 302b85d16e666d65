import { lookupForm } from '../../../protocol/names.ts'
import { type CommandOf, type DatedEntry, done, type Entry, entryVersion, type Outcome } from '../commands.ts'
import { addresseesOf } from '../query/addressees.ts'
import { memberByName, nameTaken } from '../query/find-member.ts'
import { type WebhookRow, webhookByName } from '../query/webhooks.ts'
import { type Refused, refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { applyDelete } from './members.ts'

type Add = CommandOf<'webhook.add'>
type Change = CommandOf<'webhook.change'>
type Rotate = CommandOf<'webhook.rotate'>
type Remove = CommandOf<'webhook.remove'>

/** Creates a service and its webhook. */
export function applyWebhookAdd(db: Database, { time, command }: Entry<Add>): Outcome<Add> {
  const { name, source, to, secretHash, signingSecret = null, template = null, failedAs = null } = command
  const taken = nameTaken(db, name)
  if (taken) return refuse('conflict', { code: 'name_taken', name, taken, wanted: 'service' })
  const refusal = whyNotTo(db, to)
  if (refusal) return refusal
  db.run(`insert into member (name, kind, created_at) values (?, 'service', ?)`, name, time)
  const { id } = memberByName(db, name)!
  db.run(
    `insert into webhook (member, source, secret_hash, signing_secret, named, template, failed_as, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    source,
    Buffer.from(secretHash, 'base64'),
    signingSecret,
    JSON.stringify(to),
    template,
    failedAs,
    time,
  )
  return done<Add>({ name })
}

/** Changes the fields that the command names; the others stay. */
export function applyWebhookChange(db: Database, { steady, command }: DatedEntry<Change>): Outcome<Change> {
  const found = webhookNamed(db, command.name, steady)
  if ('ok' in found) return found
  const { to = found.to, template = found.template, failedAs = found.failedAs } = command
  const refusal = whyNotTo(db, to)
  if (refusal) return refusal
  db.run(
    'update webhook set named = ?, template = ?, failed_as = ? where member = ?',
    JSON.stringify(to),
    template,
    failedAs,
    found.member,
  )
  return done<Change>({ name: found.name })
}

/** Gives a webhook another URL and signing secret. The previous ones stay valid for the overlap. */
export function applyWebhookRotate(db: Database, { time, steady, command }: DatedEntry<Rotate>): Outcome<Rotate> {
  const found = webhookNamed(db, command.name, steady)
  if ('ok' in found) return found
  const { secretHash, signingSecret = null, overlapS } = command
  const before = overlapS > 0 && !found.isRevoked
  db.run(
    `update webhook set before_hash = iif(?2, secret_hash, null), before_signing = iif(?2, signing_secret, null), before_ends = ?3,
       secret_hash = ?4, signing_secret = ?5, rotated_at = ?6 where member = ?1`,
    found.member,
    before ? 1 : 0,
    before ? steady + overlapS * 1000 : null,
    Buffer.from(secretHash, 'base64'),
    signingSecret,
    time,
  )
  return done<Rotate>({ name: found.name, goesOnUntil: before ? time + overlapS * 1000 : null })
}

/** Deletes a webhook and its service. Messages that it wrote stay. */
export function applyWebhookRemove(db: Database, { seq, time, steady, command }: DatedEntry<Remove>): Outcome<Remove> {
  const found = webhookNamed(db, command.name, steady)
  if ('ok' in found) return found
  const gone = applyDelete(db, { seq, time, command: { type: 'member.delete', name: found.name } })
  return gone.ok ? done<Remove>({ name: found.name }, gone.effects) : gone
}

function webhookNamed(db: Database, typed: string, steady: number): WebhookRow | Refused {
  const name = lookupForm(typed)
  return webhookByName(db, name, steady) ?? refuse('not_found', { code: 'no_webhook', name })
}

/**
 * Returns the reason why events cannot go to these names; undefined when they can. Whether the recipients accept them is decided with each
 * event.
 */
function whyNotTo(db: Database, to: string[]): Refused | undefined {
  const resolved = addresseesOf(db, 0, to, entryVersion)
  if ('ok' in resolved) return resolved
  const [unknown] = resolved.unknown
  if (unknown !== undefined) return refuse('not_found', { code: 'no_member', name: unknown })
  const service = resolved.members.find(({ kind }) => kind === 'service')
  return service && refuse('invalid', { code: 'service_reads_nothing', name: service.name })
}
