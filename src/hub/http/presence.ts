import { clientToken } from '../../protocol/client-version.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { MemberKind, Reach } from '../../protocol/messages.ts'
import { version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import { unreadCount } from '../state/query/inbox.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** `POST /v1/presence`: a heartbeat. Costs one look-up and writes nothing. */
export const heartbeat: Handlers['heartbeat'] = ({ hub, identity, body }) => {
  if (!hub.presence.beat(identity.member, body.session, clientToken(body.client))) {
    throw new ClaudeNetError(
      'rate_limited',
      `${identity.name} has too many sessions already; this one is not counted.`,
      'End sessions that nobody uses. This one reads and sends all the same.',
      60_000,
    )
  }
  return { unread: unreadCount(hub.state.db, identity.member), version }
}

/** `DELETE /v1/presence`: a clean end. */
export const endSession: Handlers['endSession'] = ({ hub, identity, query }) => ({
  ended: hub.presence.end(identity.member, query.session),
})

/** Whether a member reads, and by which way a person does, as the wire has it. */
export function reachOf(hub: Hub, member: number, kind: MemberKind): Reach {
  const presence = presenceOf(hub, member)
  return kind === 'human' ? { ...presence, telegram: hub.onTelegram.has(member) } : presence
}

/** Whether a member is online and when it was last seen, as the wire has it. */
export function presenceOf(hub: Hub, member: number): { online: boolean; lastSeenAt: string | null } {
  const { online, lastSeenAt } = hub.presence.of(member)
  return { online, lastSeenAt: lastSeenAt === null ? null : timestamp(lastSeenAt) }
}
