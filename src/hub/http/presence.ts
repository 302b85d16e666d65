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

/** `POST /v1/presence`: a heartbeat. Costs one look-up and no write, except when a project is seen for the first time that day. */
export const heartbeat: Handlers['heartbeat'] = ({ hub, identity, body }) => {
  const { member, role } = identity
  const { session, client, project: scope, ...activity } = body
  const project = (role === 'machine' && scope) || undefined
  const reported = reportedActivity(activity, Date.now())
  if (!hub.presence.beat(member, session, clientToken(client), reported, project)) {
    throw new ClaudeNetError(
      'rate_limited',
      `${identity.name} has too many sessions already; this one is not counted.`,
      'End unused sessions. This one can still read and send.',
      60_000,
    )
  }
  const answer = () => ({ unread: unreadCount(hub.state.db, member, scope), version })
  const recorded = project && hub.projects.saw(member, project)
  return recorded ? recorded.then(answer) : answer()
}

/** An online session as the hub stores it. */
export type SessionInfo = ReturnType<Hub['presence']['sessionsOf']>[number]
type SessionActivity = NonNullable<SessionInfo['activity']>

/** Returns the activity that a session reports at `now`, with times in ms since 1970; undefined when it reports none. */
function reportedActivity(activity: Activity, now: number): SessionActivity | undefined {
  const { branch, commit, status, prompt, ...times } = activity
  // Clamped, as the clock of the machine may be ahead.
  const at = (time: string | undefined) => (time === undefined ? undefined : Math.min(Date.parse(time), now))
  const reported: SessionActivity = {
    ...(branch !== undefined ? { branch } : commit !== undefined && { commit }),
    ...(times.busySince !== undefined && { busySince: at(times.busySince) }),
    ...(times.busySince === undefined && times.idleSince !== undefined && { idleSince: at(times.idleSince) }),
    ...(status !== undefined && { status, statusSetAt: at(times.statusSetAt) ?? now }),
    ...(prompt && { prompt: { ...prompt, since: at(prompt.since)! } }),
  }
  return Object.keys(reported).length > 0 ? reported : undefined
}

/** Returns the activity that a session last reported, in its wire form. */
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

/** `DELETE /v1/presence`: ends a session. */
export const endSession: Handlers['endSession'] = ({ hub, identity, query }) => ({
  ended: hub.presence.end(identity.member, query.session),
})

/** Returns the presence of a member, and for a person whether Telegram reaches it, in wire form. */
export function reachOf(hub: Hub, member: number, kind: MemberKind): Reach {
  const presence = presenceOf(hub, member)
  return kind === 'human' ? { ...presence, telegram: hub.onTelegram.has(member) } : presence
}

/** Returns the presence of the project that a message is for, in wire form; empty if it is for none. */
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

/** Returns whether a member is online and when it was last seen, in wire form. */
export function presenceOf(hub: Hub, member: number): { online: boolean; lastSeenAt: string | null } {
  const { online, lastSeenAt } = hub.presence.of(member)
  return { online, lastSeenAt: lastSeenAt === null ? null : timestamp(lastSeenAt) }
}
