import { readsAllKinds } from '../../protocol/kinds.ts'
import type { Concerns, Member, OpenRequest, TokenDetails } from '../../protocol/members.ts'
import { maxListedProjects } from '../../protocol/projects.ts'
import { version } from '../../protocol/version.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import { activeBrakes } from '../state/query/brakes.ts'
import { memberById } from '../state/query/find-member.ts'
import { unreadCount } from '../state/query/inbox.ts'
import {
  allGroups,
  allMembers,
  endedByAge,
  type MemberInfo,
  type TokenLife,
  tokensByMember,
} from '../state/query/members.ts'
import { membersWithProjects, someProjects } from '../state/query/projects.ts'
import { unlessUnreadable } from '../state/query/read-around-damage.ts'
import type { Viewer } from '../state/query/viewer.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'
import { presenceOf, type SessionInfo, shownActivity } from './presence.ts'
import type { Sight } from './sight.ts'
import type { TokenHosts } from './token-hosts.ts'

/** `GET /v1/machines`: every member, machines and humans. */
export const listMachines: (tokenHosts: TokenHosts, sight: Sight) => Handlers['listMachines'] =
  (tokenHosts, sight) =>
  async ({ hub, identity, request, query }) => {
    const viewer = sight.viewerOf(identity)
    const mail = query.with === 'mail' ? await unreadAndRequestsOf(hub, identity, viewer) : undefined
    const openRequests = mail?.openRequests ?? (identity.member === 0 ? [] : await requestsOf(hub, identity))
    const { db } = hub.state
    const members = allMembers(db)
    const shown = readsAllKinds(request.headers) ? members : members.filter(({ kind }) => kind !== 'service')
    return {
      openRequests,
      version,
      you: identity.member === 0 ? null : identity.name,
      unread: identity.member === 0 ? null : unreadCount(db, identity.member),
      members: shown.map(membersOf(hub)).map((member, index) => ({ ...member, ...mail?.of.get(shown[index]!.id) })),
      groups: allGroups(db, members),
      ...concernsOf(hub, tokenHosts, identity),
    }
  }

/** Returns the unread messages of the members whose messages the caller may see, by member id, and their open requests. */
async function unreadAndRequestsOf(hub: Hub, { member: caller, tokenId }: Identity, viewer: Viewer) {
  const { unread, open } = await hub.reader.ask('unreadAndRequests', { viewer, now: Date.now() }, tokenId)
  const { db } = hub.state
  return {
    of: new Map(
      unread.map(({ id, unread, oldestAt }) => [id, { unread, oldestUnreadAt: timestampOr(oldestAt) }] as const),
    ),
    openRequests: open.map(({ sender, sentAt, ...request }): OpenRequest => {
      const of = sender === caller ? undefined : memberById(db, sender)?.name
      return { ...request, ...(of !== undefined && { of }), sentAt: timestamp(sentAt) }
    }),
  }
}

async function requestsOf({ reader }: Hub, { member, tokenId }: Identity): Promise<OpenRequest[]> {
  const requests = await reader.ask('openRequests', { sender: member, now: Date.now() }, tokenId)
  return requests.map(({ sentAt, sender: _, ...request }) => ({ ...request, sentAt: timestamp(sentAt) }))
}

/** `PUT /v1/me`. */
export const putPolicy: Handlers['putPolicy'] = ({ hub, identity, body }) =>
  hub.submit({ type: 'member.policy', by: identity.member, inbound: body.inbound, mute: body.mute })

/** `GET /v1/admin/members`. */
export const listMembers: (tokenHosts: TokenHosts) => Handlers['listMembers'] =
  tokenHosts =>
  ({ hub, identity, request }) => {
    const tokens = tokensByMember(hub.state.db)
    const ended = endedByAge(hub.state.db)
    const shown = membersOf(hub)
    const readsAll = readsAllKinds(request.headers)
    const all = allMembers(hub.state.db).filter(({ kind }) => readsAll || kind !== 'service')
    const members = all.map(member => ({
      ...shown(member),
      unread: member.unread,
      createdAt: timestamp(member.createdAt),
      joinedAt: member.joinedAt === null ? null : timestamp(member.joinedAt),
      tokenId: tokens.get(member.id)?.at(-1)?.id ?? null,
      tokens: (tokens.get(member.id) ?? []).map(token => tokenDetails(hub, token)),
      tokenEndedAt: timestampOr(ended.get(member.id)),
      boundTo: member.boundTo,
    }))
    return { members, ...concernsOf(hub, tokenHosts, identity) }
  }

function tokenDetails(
  { tokenUses, steadyNow }: Hub,
  { id, createdAt, usedAt, endsAt, limit }: TokenLife,
): TokenDetails {
  // Converted to the current wall clock: the steady clock is internal.
  const byAge = limit === null ? null : Date.now() + limit - steadyNow
  return {
    id,
    createdAt: timestamp(createdAt),
    lastUsedAt: timestampOr(tokenUses.of(id) ?? usedAt),
    endsAt: timestampOr(endsAt ?? byAge),
    isReplaced: endsAt !== null,
  }
}

function timestampOr(time: number | null | undefined): string | null {
  return time === null || time === undefined ? null : timestamp(time)
}

/** Most sessions of one member in a list, which every member may request. */
const maxListed = 20

/** Most sessions in a list that are shown with their activity, some 300 bytes each. */
const maxDescribed = 1000

/** Most projects in a list, of all members together, some 90 bytes each. */
const maxProjects = 500

/** Returns a function that makes the members of one list, to be called in their order: it counts what the list has room for. */
function membersOf(hub: Hub): (member: MemberInfo) => Member {
  let room = maxDescribed
  let projectRoom = maxProjects
  const haveProjects = unlessUnreadable(() => membersWithProjects(hub.state.db)) ?? new Set()
  const describe = (session: SessionInfo) => (session.activity && --room >= 0 ? shownActivity(session) : {})
  return member => {
    const limit = haveProjects.has(member.id) ? Math.min(projectRoom, maxListedProjects) : 0
    const projects = limit > 0 ? projectsIn(hub, member.id, limit) : {}
    projectRoom -= projects.projects?.length ?? 0
    return { ...toMember(hub, member, describe), ...projects }
  }
}

function toMember(
  hub: Hub,
  { id, name, kind, owner, aliases }: MemberInfo,
  describe: (session: SessionInfo) => ReturnType<typeof shownActivity>,
): Member {
  const live = hub.presence.sessionsOf(id)
  const sessions = live.slice(0, maxListed)
  return {
    name,
    kind,
    owner,
    aliases,
    ...presenceOf(hub, id),
    ...(kind === 'human' && { telegram: hub.onTelegram.has(id) }),
    sessions: sessions.map(each => {
      const { session, client, since, project } = each
      return { session, client, since: timestamp(since), ...(project && { project }), ...describe(each) }
    }),
    ...(live.length > sessions.length && { sessionCount: live.length }),
  }
}

/** Returns the projects of a machine, those with online sessions first, `limit` at most. Empty if it has none. */
function projectsIn(hub: Hub, member: number, limit: number): Pick<Member, 'projects' | 'projectCount'> {
  const { ofProjects } = hub.presence.sessionCounts(member)
  const first = [...ofProjects.keys()]
  const found = unlessUnreadable(() => someProjects(hub.state.db, member, { first, limit }))
  if (!found) return {}
  const { projects: known, count } = found
  const all = known.map(({ name, seenAt }) => {
    return { name, sessions: ofProjects.get(name) ?? 0, seenAt: hub.projects.lastSeen(member, name) ?? seenAt }
  })
  const isLive = ({ sessions }: { sessions: number }) => Number(sessions > 0)
  const listed = all.sort((a, b) => isLive(b) - isLive(a) || b.seenAt - a.seenAt)
  return {
    projects: listed.map(({ name, sessions, seenAt }) => ({ name, sessions, lastSeenAt: timestamp(seenAt) })),
    ...(count > listed.length && { projectCount: count }),
  }
}

/** Returns the problems that concern a member; for an admin, those of all members. */
function concernsOf({ state, damage }: Hub, tokenHosts: TokenHosts, { member, role }: Identity): Concerns {
  const whose = role === 'admin' ? undefined : member
  return {
    brakes: activeBrakes(state.db, Date.now(), whose).map(brake => ({ ...brake, until: timestamp(brake.until) })),
    sharedTokens: tokenHosts.sharedTokens(whose).flatMap(({ member, hosts, at }) => {
      const name = memberById(state.db, member)?.name
      return name ? [{ member: name, hosts, at: timestamp(at) }] : []
    }),
    damaged: damage !== undefined,
  }
}
