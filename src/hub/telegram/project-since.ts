import { presenceInWords } from '../../text/presence.ts'
import type { Hub } from '../hub.ts'

/** Describes how long a project has had no session, and whether its machine has others. `now` in ms since 1970. */
export function projectSince(
  hub: Hub,
  machine: number,
  { name, project }: { name: string; project: string },
  now: number,
): string {
  const lastSeenAt = hub.projectSeenAt(machine, project)
  const { sessions } = hub.presence.sessionCounts(machine)
  const at = lastSeenAt === undefined ? null : new Date(lastSeenAt).toISOString()
  const of = {
    name,
    project,
    projectSessions: 0,
    projectLastSeenAt: at,
    sessions,
    online: sessions > 0,
    lastSeenAt: at,
  }
  return presenceInWords(of, now)
}
