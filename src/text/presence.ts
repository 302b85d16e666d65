import { ago, count } from './spans.ts'

/** The presence of a member, and the ways to reach a person (`Reach` in protocol/messages.ts). */
export interface Reach {
  online: boolean
  lastSeenAt: string | null
  /** Of a person: whether the hub's Telegram bridge delivers their messages. */
  telegram?: boolean
  /** Of a person: the machines they own. */
  machines?: readonly string[]
  /** For a project of a machine (`projectReach`): the machine, the project, and the numbers of running sessions of both. */
  name?: string
  project?: string
  projectSessions?: number
  projectLastSeenAt?: string | null
  sessions?: number | readonly unknown[]
}

/**
 * Returns whether somebody reads there: `online`, `no session since 3 h ago`, `no session yet`; of a person by which way, and whose machine
 * would read instead: `on Telegram; their machine is seanclaude`, `not on Telegram; …`; of a project that has no session, whether others
 * of its machine run: `no session of billing since 3 days ago; 1 other session of seanclaude runs`.
 */
export function presenceInWords(of: Reach, now: number): string {
  if (of.project !== undefined && of.projectSessions !== undefined) return projectInWords(of, now)
  const { online, lastSeenAt, telegram, machines = [] } = of
  const owned =
    machines.length > 1 ? `; their machines are ${machines.join(', ')}` : `; their machine is ${machines[0]}`
  const also = machines.length > 0 ? owned : ''
  if (telegram === true) return `on Telegram${online ? ', online' : ''}${also}`
  const session = lastSeenAt === null ? 'no session yet' : `no session since ${ago(Date.parse(lastSeenAt), now)}`
  if (online) return `online${also}`
  if (telegram === undefined) return session + also
  return lastSeenAt === null ? `not on Telegram${also}` : `not on Telegram, ${session}${also}`
}

/** Shown instead of presence for a service. */
export const serviceState = 'reports events; nobody reads there'

function projectInWords(
  { name, project, projectSessions, projectLastSeenAt, sessions = 0 }: Reach,
  now: number,
): string {
  if (projectSessions! > 0) return 'online'
  const since = projectLastSeenAt ? `since ${ago(Date.parse(projectLastSeenAt), now)}` : 'yet'
  const others = typeof sessions === 'number' ? sessions : sessions.length
  const also =
    others > 0
      ? `${count(others, 'other session')} of ${name} ${others === 1 ? 'runs' : 'run'}`
      : `none of ${name} runs`
  return `no session of ${project} ${since}; ${also}`
}
