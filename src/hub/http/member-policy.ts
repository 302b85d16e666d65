import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import { memberByName } from '../state/query/find-member.ts'
import { isOwnedBy, mutedBy } from '../state/query/members.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/members/:name/policy`. */
export const getMemberPolicy: Handlers['getMemberPolicy'] = ({ hub, identity, params }) => {
  const { id, inbound } = memberToAnswerFor(hub, identity, params.name)
  return { inbound, mute: mutedBy(hub.state.db, id) }
}

/** `PUT /v1/members/:name/policy`. */
export const putMemberPolicy: Handlers['putMemberPolicy'] = ({ hub, identity, params, body }) => {
  const { id } = memberToAnswerFor(hub, identity, params.name)
  return hub.submit({ type: 'member.policy', by: id, inbound: body.inbound, mute: body.mute })
}

/** Returns the member called `name` if the caller may change it: itself, a machine that it owns, or, for an admin, any. Throws otherwise. */
function memberToAnswerFor({ state: { db } }: Hub, { role, member }: Identity, name: string) {
  const found = memberByName(db, name)
  if (found && (role === 'admin' || found.id === member || isOwnedBy(db, found.id, member))) return found
  if (found)
    throw new ClaudeNetError(
      'forbidden',
      `You may not see or change the policy of ${name}.`,
      `${name} itself, the person who owns it, and an admin can.`,
    )
  throw new ClaudeNetError('not_found', `No member is called '${name}'.`, 'GET /v1/machines lists all.')
}
