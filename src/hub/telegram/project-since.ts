import { presenceInWords } from '../../text/presence.ts'
import type { Hub } from '../hub.ts'

/** Since when no session of a project lives, and whether others of its machine do. `now` in ms since 1970. */
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
