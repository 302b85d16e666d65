import type { Activity } from '../../protocol/activity.ts'
import { clientToken } from '../../protocol/client-version.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Session } from '../../protocol/members.ts'
import type { MemberKind, ProjectReach, Reach } from '../../protocol/messages.ts'
import { version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import { unreadCount } from '../state/query/inbox.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** `POST /v1/presence`: a heartbeat. Costs one look-up and writes nothing, except when a project is seen for the first time that day. */
export const heartbeat: Handlers['heartbeat'] = ({ hub, identity, body }) => {
  const { member, role } = identity
  const { session, client, project: scope, ...activity } = body
  const project = (role === 'machine' && scope) || undefined
  const heard = heardActivity(activity, Date.now())
  if (!hub.presence.beat(member, session, clientToken(client), heard, project)) {
    throw new ClaudeNetError(
      'rate_limited',
      `${identity.name} has too many sessions already; this one is not counted.`,
      'End sessions that nobody uses. This one reads and sends all the same.',
      60_000,
    )
  }
  const answer = () => ({ unread: unreadCount(hub.state.db, member, scope), version })
  const told = project && hub.projects.saw(member, project)
  return told ? told.then(answer) : answer()
}

/** A live session as the hub has it. */
export type SessionInfo = ReturnType<Hub['presence']['sessionsOf']>[number]
type SessionActivity = NonNullable<SessionInfo['activity']>

/** What a session says of itself at `now`, with its times in ms since 1970. Undefined when it says nothing. */
function heardActivity(said: Activity, now: number): SessionActivity | undefined {
  const { branch, commit, status, prompt, ...times } = said
  // A clock of the machine that goes ahead must not make anything begin in the future.
  const at = (time: string | undefined) => (time === undefined ? undefined : Math.min(Date.parse(time), now))
  const heard: SessionActivity = {
    ...(branch !== undefined ? { branch } : commit !== undefined && { commit }),
    ...(times.busySince !== undefined && { busySince: at(times.busySince) }),
    ...(times.busySince === undefined && times.idleSince !== undefined && { idleSince: at(times.idleSince) }),
    ...(status !== undefined && { status, statusSetAt: at(times.statusSetAt) ?? now }),
    ...(prompt && { prompt: { ...prompt, since: at(prompt.since)! } }),
  }
  return Object.keys(heard).length > 0 ? heard : undefined
}

/** What a session said of itself, as the wire has it. */
export function shownActivity({ activity }: SessionInfo): Omit<Session, 'session' | 'client' | 'since'> {
  if (!activity) return {}
  const { branch, commit, busySince, idleSince, status, statusSetAt, prompt } = activity
  return {
    ...(branch !== undefined && { branch }),
    ...(commit !== undefined && { commit }),
    ...(busySince !== undefined && { busySince: timestamp(busySince) }),
    ...(idleSince !== undefined && { idleSince: timestamp(idleSince) }),
    ...(status !== undefined && { status }),
    ...(statusSetAt !== undefined && { statusSetAt: timestamp(statusSetAt) }),
    ...(prompt && { prompt: { ...(prompt.tool && { tool: prompt.tool }), since: timestamp(prompt.since) } }),
  }
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

/** Whether the project that a message is for reads, as the wire has it. Nothing where it is for none. */
export function projectReachOf(hub: Hub, member: number, project: string | undefined): ProjectReach {
  if (project === undefined) return {}
  const { sessions, ofProjects } = hub.presence.sessionCounts(member)
  const lastSeenAt = hub.projectSeenAt(member, project)
  return {
    project,
    projectSessions: ofProjects.get(project) ?? 0,
    projectLastSeenAt: lastSeenAt === undefined ? null : timestamp(lastSeenAt),
    sessions,
  }
}

/** Whether a member is online and when it was last seen, as the wire has it. */
export function presenceOf(hub: Hub, member: number): { online: boolean; lastSeenAt: string | null } {
  const { online, lastSeenAt } = hub.presence.of(member)
  return { online, lastSeenAt: lastSeenAt === null ? null : timestamp(lastSeenAt) }
}
