import * as z from 'zod'
import { api, type RouteName } from './api.ts'
import { tabHeader } from './console-header.ts'
import { ErrorBody } from './error-body.ts'
import { ClaudeNetError, type ErrorCode } from './errors.ts'
import type { Route } from './routes/route.ts'
import { version } from './version.ts'

type Json = Record<string, unknown>

/** Returns the whole contract as OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1), derived from the table of routes. */
export function openApi(): Json & { openapi: string } {
  const paths: Record<string, Json> = {}
  for (const [name, route] of Object.entries(api) as [RouteName, Route][]) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(name, route) }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Claude Net',
      version,
      summary: 'Durable inboxes between Claude Code machines and people.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { Error: jsonSchema(ErrorBody) },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: "A member's token or the admin's: clnt_…" },
        cookie: {
          type: 'apiKey',
          in: 'cookie',
          name: 'claude-net-PORT',
          description: 'A session of the console; requires tab too',
        },
        tab: {
          type: 'apiKey',
          in: 'header',
          name: tabHeader,
          description: "The secret of the session's tab; requires cookie too",
        },
      },
    },
  }
}

function operation(name: RouteName, route: Route): Json {
  const body = schemaOf(route.body)
  return {
    operationId: name,
    summary: route.summary,
    // For a scheme other than OAuth the list names roles; any one of several requirements suffices.
    security: security(route),
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: { ...answers(route), ...errors(route, body !== undefined) },
  }
}

function security({ audience, takesToken, browser }: Route): Json[] {
  if (audience !== 'public') {
    const byToken = audience.map(role => ({ token: [role] }))
    const bySession = audience.map(role => ({ cookie: [role], tab: [role] }))
    return [...(browser === 'only' ? [] : byToken), ...(browser === 'never' ? [] : bySession)]
  }
  return takesToken ? [{}, { token: [] }] : []
}

function parameters(schema: z.ZodType, place: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema,
  }))
}

function answers(route: Route): Json {
  const content =
    typeof route.answer === 'string'
      ? { [route.answer]: { schema: { type: 'string' } } }
      : { 'application/json': { schema: jsonSchema(route.answer) } }
  return Object.fromEntries((route.statuses ?? [200]).map(status => [status, { description: route.summary, content }]))
}

function errors(route: Route, hasBody: boolean): Json {
  const takes = hasBody || [route.params, route.query].some(part => parameters(part, 'query').length > 0)
  const codes: ErrorCode[] = ['forbidden', 'rate_limited', 'internal', 'unavailable']
  if (takes) codes.push('invalid', 'not_found')
  if (hasBody) codes.push('too_large')
  if (route.method !== 'GET') codes.push('conflict')
  if (route.audience !== 'public' || route.takesToken || hasBody) codes.push('unauthorized')
  return Object.fromEntries(
    codes.map(code => [
      new ClaudeNetError(code, '', '').status,
      { description: code, content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
    ]),
  )
}

function schemaOf(schema: z.ZodType): Json | undefined {
  return schema instanceof z.ZodUndefined ? undefined : jsonSchema(schema)
}

/**
 * Returns the schema of the wire format, hence the input side for responses too, before the receiver has parsed them. Objects of a
 * response are therefore open: readers skip fields that a newer hub has added.
 */
function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' })
  return rest
}
