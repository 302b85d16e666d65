/** The parts of a request that may name a project. */
interface Parts {
  query?: unknown
  body?: unknown
}

/**
 * Returns the request without projects, for a hub that does not support them: it then concerns the machine as a whole. Returns
 * undefined if the request names no project.
 */
export function withoutProject<R extends Parts>(request: R): R | undefined {
  const { project, ...query } = fieldsOf(request.query)
  const { project: scope, fromProject, ...body } = fieldsOf(request.body)
  if (project === undefined && scope === undefined && fromProject === undefined) return undefined
  return { ...request, ...(request.query !== undefined && { query }), ...(request.body !== undefined && { body }) }
}

function fieldsOf(part: unknown): Record<string, unknown> {
  return typeof part === 'object' && part !== null ? (part as Record<string, unknown>) : {}
}
