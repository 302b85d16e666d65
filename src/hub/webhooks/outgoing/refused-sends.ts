import { addressOf } from '../../../protocol/projects.ts'
import type { Commit } from '../../journal/journal.ts'
import type { CommandOf } from '../../state/commands.ts'
import { resolveNames } from '../../state/query/find-member.ts'
import type { Happening } from '../../state/query/happenings.ts'
import type { StoredFilter } from '../../state/query/outgoing.ts'
import type { Refusal } from '../../state/refusals.ts'
import type { Database } from '../../state/store/database.ts'
import { meets } from './filter.ts'

/** A webhook that posts refused messages, with its filters for them. */
export interface Wanted {
  webhook: number
  filters: StoredFilter[]
}

/** Most recipients recorded of a refused message. */
const noted = 100

/**
 * Returns notes of a batch's sends that all recipients refused, for the webhooks that post them: a refusal changes nothing in the store, so
 * a lane could not read it later.
 */
export function refusedSends(
  db: Database,
  { entries, outcomes }: Commit,
  wanted: readonly Wanted[],
): CommandOf<'outgoing.note'>[] {
  return entries.flatMap(({ time, command }, index) => {
    const outcome = outcomes[index]!
    if (command.type !== 'message.send' || outcome.ok) return []
    const happening = refusedOf(db, time, command, outcome.refusal)
    if (!happening) return []
    const webhooks = wanted
      .filter(({ filters }) => filters.some(filter => meets(db, filter, happening)))
      .map(({ webhook }) => webhook)
    if (webhooks.length === 0) return []
    const { id, kind, seq, at } = happening
    const event = { id, kind, seq, at, detail: JSON.stringify(happening) }
    return [{ type: 'outgoing.note' as const, webhooks, event }]
  })
}

function refusedOf(
  db: Database,
  at: number,
  { id, by, to, body, intent, replyTo, fromProject }: CommandOf<'message.send'>,
  { why }: Refusal,
): Happening | undefined {
  if (why.code !== 'not_taken') return undefined
  const addresses = to.map(addressOf)
  const { members, isCrowd } = resolveNames(
    db,
    by,
    addresses.map(({ name }) => name),
  )
  const projects = new Map(addresses.map(({ name, project }) => [name, project]))
  const message = {
    ...{ id, from: by, intent: intent ?? (isCrowd ? 'inform' : 'request'), bytes: Buffer.byteLength(body) },
    ...(replyTo !== undefined && { replyTo }),
    ...(fromProject && { fromProject }),
  } as const
  const recipients = members.slice(0, noted).map(({ id: member, name }) => ({
    ...{ member, name, project: projects.get(name) },
    // The reason is known for the first recipient only.
    ...(name === why.name && { reason: why.reason }),
  }))
  return { id: `refused_${id}`, kind: 'refused', seq: 0, at, message, recipients }
}
