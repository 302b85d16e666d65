import * as z from 'zod'
import {
  ConsoleAnswer,
  ConsoleLink,
  ConsoleLinkRequest,
  ConsoleLoggedIn,
  ConsoleLogin,
  ConsoleSessionId,
  ConsoleSessions,
} from '../console.ts'
import { anyToken, route } from './route.ts'

/** Login, logout and sessions of the console. */
export const consoleRoutes = {
  consoleLink: route({
    method: 'POST',
    path: '/v1/console/links',
    summary: 'Create a link that opens the console once, within 10 minutes: for the caller; the admin for any member',
    audience: anyToken,
    browser: 'never',
    body: ConsoleLinkRequest,
    answer: ConsoleLink,
    statuses: [201],
  }),
  consoleLogin: route({
    method: 'POST',
    path: '/v1/console/login',
    summary: "Exchange a link's secret, from a page of the hub, for a session: a cookie and the secret of the tab",
    audience: 'public',
    body: ConsoleLogin,
    answer: ConsoleLoggedIn,
    statuses: [201],
  }),
  getConsole: route({
    method: 'GET',
    path: '/v1/console',
    summary: 'The member and the session of this browser',
    audience: anyToken,
    browser: 'only',
    answer: ConsoleAnswer,
  }),
  consoleLogout: route({
    method: 'DELETE',
    path: '/v1/console',
    summary: 'End the session of this browser',
    audience: anyToken,
    browser: 'only',
    answer: z.object({ closed: z.array(ConsoleSessionId) }),
  }),
  consoleSessions: route({
    method: 'GET',
    path: '/v1/console/sessions',
    summary: "List sessions of the console: the caller's own; for the admin everybody's",
    audience: anyToken,
    answer: ConsoleSessions,
  }),
  consoleRevoke: route({
    method: 'DELETE',
    path: '/v1/console/sessions/:id',
    summary: "End one session or `all`: the caller's own; for the admin anybody's",
    audience: anyToken,
    params: z.strictObject({ id: z.union([ConsoleSessionId, z.literal('all')]) }),
    answer: z.object({ closed: z.array(ConsoleSessionId) }),
  }),
} as const
