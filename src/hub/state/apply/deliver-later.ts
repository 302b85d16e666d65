import { everyone, lookupForm } from '../../../protocol/names.ts'
import { addressOf } from '../../../protocol/projects.ts'
import { type CommandOf, type DatedEntry, done, type Outcome } from '../commands.ts'
import { type Addressees, addresseesOf } from '../query/addressees.ts'
import { groupExists } from '../query/find-member.ts'
import { contentOf, isWhole } from '../query/later.ts'
import { isProject } from '../query/projects.ts'
import { type Refused, refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { boundLater, endLater, type LaterContent, type LaterRow } from './later.ts'
import { answeredBy, storeSend } from './messages.ts'
import { splitAddress } from './split-address.ts'
import { beginningOf, noteUntold } from './untold.ts'

type Deliver = CommandOf<'later.deliver'>

/**
 * Sends a scheduled message that is due, as if its sender had sent it now: with this entry's seq and time, and with the groups, policies and room of
 * now. Recipients that refuse it, or are gone, are noted for its sender.
 */
export function applyDeliver(db: Database, { v, seq, time, steady, command }: DatedEntry<Deliver>): Outcome<Deliver> {
  const due = db.get('select 1 from later where id = ? and ended is null and due_steady <= ?', command.id, steady)
  if (!due) return done<Deliver>({ became: 'nothing' })
  const row = boundLater(db, command.id)!
  const { id, sender, hash, written_at: writtenAt, due_at: dueAt } = row
  const content = contentOf(row.content!)
  if (!content || !isWhole(content, row)) return refuseDamaged(db, row, steady)
  const { send, meant } = content
  const { to, gone } = namesNow(db, send.to, meant)
  const told = { id, to: send.to, beginning: beginningOf(send.body), project: send.fromProject || undefined }
  const resolved = addresseesOf(db, sender, to, v ?? 1)
  const arrived = {
    named: JSON.stringify(send.to),
    hash: Buffer.from(hash),
    answered: answeredBy(db, send),
    later: { dueAt, writtenAt },
  }
  const deliver = (resolved: Addressees) =>
    storeSend(db, { v, seq, time, steady, command: { ...send, to } }, { ...arrived, resolved })
  const outcome = 'ok' in resolved ? resolved : resolved.members.length === 0 ? nobody(gone) : deliver(resolved)
  if (!outcome.ok) {
    noteUntold(db, sender, { ...told, what: 'refused', why: outcome.refusal.why })
    endLater(db, id, 'refused', steady)
    return done<Deliver>({ became: 'refused' })
  }
  const { recipients } = outcome.result
  const refused = recipients.flatMap(({ name, status, reason }) =>
    status === 'refused' && typeof reason === 'object' ? [{ name, reason }] : [],
  )
  if (refused.length + gone.length > 0) noteUntold(db, sender, { ...told, what: 'partly', refused, gone })
  db.run('delete from later where id = ?', id)
  return done<Deliver>({ became: 'sent', seq, by: sender, recipients }, outcome.effects)
}

function refuseDamaged(db: Database, { id, sender }: LaterRow, steady: number): Outcome<Deliver> {
  noteUntold(db, sender, { id, to: [], beginning: '', what: 'refused', why: { code: 'later_damaged' } })
  endLater(db, id, 'refused', steady)
  return done<Deliver>({ became: 'refused' })
}

/** Returns the current names of the members that a sender named, and, as typed, the names that no longer exist. */
function namesNow(
  db: Database,
  typed: readonly string[],
  meant: LaterContent['meant'],
): { to: string[]; gone: string[] } {
  const to: string[] = []
  const gone: string[] = []
  for (const each of typed) {
    const now = nameNow(db, each, meant[each])
    if (now === undefined) gone.push(each)
    else to.push(now)
  }
  return { to, gone }
}

function nameNow(db: Database, typed: string, member: number | undefined): string | undefined {
  const { name, rest } = splitAddress(typed)
  if (member === undefined) {
    const crowd = lookupForm(name)
    return crowd === everyone || groupExists(db, crowd) ? typed : undefined
  }
  const found = db.get<{ name: string }>('select name from member where id = ? and deleted_at is null', member)
  const { project } = addressOf(typed)
  const isThere = found && (project === undefined || isProject(db, member, project))
  return isThere ? `${found.name}${rest}` : undefined
}

function nobody(gone: string[]): Refused {
  if (gone.length > 0) return refuse('not_found', { code: 'recipients_gone', names: gone })
  return refuse('not_found', { code: 'reaches_nobody' })
}
