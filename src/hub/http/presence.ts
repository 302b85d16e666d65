import { version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import { unreadCount } from '../state/query/inbox.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** `POST /v1/presence`: a heartbeat. Costs one look-up and writes nothing. */
export const heartbeat: Handlers['heartbeat'] = ({ hub, identity, body }) => {
  hub.presence.beat(identity.member, body.session, body.client)
  return { unread: unreadCount(hub.state.db, identity.member), version }
}

/** `DELETE /v1/presence`: a clean end. */
export const endSession: Handlers['endSession'] = ({ hub, identity, query }) => ({
  ended: hub.presence.end(identity.member, query.session),
})

/** Whether a member is online and when it was last seen, as the wire has it. */
export function presenceOf(hub: Hub, member: number): { online: boolean; lastSeenAt: string | null } {
  const { online, lastSeenAt } = hub.presence.of(member)
  return { online, lastSeenAt: lastSeenAt === null ? null : timestamp(lastSeenAt) }
}
