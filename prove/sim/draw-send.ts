import type { Act } from '../checker/history.ts'
import type { Request } from './door.ts'
import { pick, type Random } from './random.ts'

/** Projects of the sessions of a machine, by their index. */
export const sessionProjects = ['blue', 'red'] as const

/** A send that its sender stores until it gets a response, across crashes. */
export interface Kept {
  act: Extract<Act, { kind: 'send' }>
  request: Extract<Request, { kind: 'send' }>
}

/** Draws a message from `by` to one, several or all of `names`, which may answer one of `shown`. */
export function drawSend(
  by: string,
  shown: readonly string[],
  { random, names, mintId }: { random: Random; names: readonly string[]; mintId: () => string },
): Kept {
  const [id, chance] = [mintId(), random()]
  const others = names.filter(name => name !== by)
  const to = chance < 0.2 ? ['all'] : chance < 0.3 && others.length > 1 ? others.slice(0, 2) : [pick(random, names)]
  const replyTo = shown.length > 0 && random() < 0.15 ? pick(random, shown) : undefined
  const expiresInS = random() < 0.1 ? 1 + Math.floor(random() * 6) : undefined
  const body = `${by} writes ${id.slice(-6)}${'.'.repeat(random() * random() * 3000)}`
  const request: Kept['request'] = {
    kind: 'send',
    by,
    body: { id, to, body, replyTo, ...(expiresInS !== undefined && { expiresInS, intent: 'inform' }) },
  }
  const act: Kept['act'] = {
    kind: 'send',
    id,
    from: by,
    to: to[0] === 'all' ? others : to,
    body,
    ...(replyTo !== undefined && { replyTo }),
    ...(expiresInS !== undefined && { mayExpire: true }),
  }
  return { act, request }
}

/** Adds a project of the recipient to some messages to one machine, and records it in `projects`. */
export function toProject({ act, request }: Kept, projects: Map<string, string>, random: Random): Kept {
  const [to, another] = act.to
  if (to === undefined || another !== undefined || random() < 0.4) return { act, request }
  const project = pick(random, sessionProjects)
  projects.set(act.id, project)
  return { act: { ...act, project }, request: { ...request, body: { ...request.body, to: [`${to}/${project}`] } } }
}
