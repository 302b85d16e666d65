import type { Member } from '../../protocol/members.ts'
import type { Hub } from '../hub.ts'
import { unreadCount } from '../state/query-inbox.ts'
import { allMembers, type MemberInfo } from '../state/query-members.ts'
import { openRequests } from '../state/query-requests.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/machines`: every member, machines and humans. */
export const listMachines: Handlers['listMachines'] = ({ hub, identity }) => ({
  you: identity.member === 0 ? null : identity.name,
  unread: identity.member === 0 ? null : unreadCount(hub.state.db, identity.member),
  members: allMembers(hub.state.db).map(member => toMember(hub, member)),
  openRequests:
    identity.member === 0
      ? []
      : openRequests(hub.state.db, identity.member, Date.now()).map(({ sentAt, ...request }) => ({
          ...request,
          sentAt: timestamp(sentAt),
        })),
})

/** `PUT /v1/me`. */
export const putPolicy: Handlers['putPolicy'] = ({ hub, identity, body }) =>
  hub.submit({ type: 'member.policy', by: identity.member, inbound: body.inbound, mute: body.mute })

/** `GET /v1/admin/members`. */
export const listMembers: Handlers['listMembers'] = ({ hub }) => ({
  members: allMembers(hub.state.db).map(member => ({
    ...toMember(hub, member),
    unread: member.unread,
    createdAt: timestamp(member.createdAt),
    joinedAt: member.joinedAt === null ? null : timestamp(member.joinedAt),
    tokenId: member.tokenId,
  })),
})

function toMember(hub: Hub, { id, name, kind, owner, aliases }: MemberInfo): Member {
  const { online, lastSeenAt } = hub.presence.of(id)
  const sessions = hub.presence.sessionsOf(id).map(live => ({ ...live, since: timestamp(live.since) }))
  return {
    name,
    kind,
    owner,
    aliases,
    online,
    lastSeenAt: lastSeenAt === null ? null : timestamp(lastSeenAt),
    sessions: sessions.map(({ session, client, since }) => ({ session, client, since })),
  }
}
