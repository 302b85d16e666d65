import * as z from 'zod'
import { HeartbeatAnswer, HeartbeatRequest } from '../members.ts'
import { SessionId } from '../messages.ts'
import { ProjectScope } from '../projects.ts'
import { anyToken, members, route } from './route.ts'

/** Sessions of machines: presence, the event stream, MCP over HTTP. */
export const sessionsRoutes = {
  heartbeat: route({
    method: 'POST',
    path: '/v1/presence',
    summary: 'Report that a session runs; repeat every 5 s',
    audience: members,
    browser: 'never',
    body: HeartbeatRequest,
    answer: HeartbeatAnswer,
  }),
  endSession: route({
    method: 'DELETE',
    path: '/v1/presence',
    summary: 'Report that a session has ended',
    audience: members,
    browser: 'never',
    query: z.strictObject({ session: SessionId }),
    answer: z.object({ ended: z.boolean() }),
  }),
  events: route({
    method: 'GET',
    path: '/v1/events',
    summary:
      'Server-sent events: inbox, receipt, presence, or all traffic that the caller may see; resumable by Last-Event-ID',
    audience: anyToken,
    query: z.strictObject({
      session: SessionId.optional(),
      with: z.enum(['delivery', 'traffic']).optional(),
      project: ProjectScope.optional(),
    }),
    answer: 'text/event-stream',
  }),
  mcp: route({
    method: 'POST',
    path: '/mcp',
    summary: 'The tools of a session by Streamable HTTP of the Model Context Protocol; no stream stays open',
    audience: members,
    browser: 'never',
    body: z.unknown(),
    answer: z.unknown(),
    statuses: [200, 202],
  }),
} as const
