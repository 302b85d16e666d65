import * as z from 'zod'
import { route } from './route.ts'

/** The files of the web console: the page and everything it loads. */
export const consolePageRoutes = {
  consolePage: route({
    method: 'GET',
    path: '/',
    summary: 'The web console; it contains no data and loads everything by the other routes',
    audience: 'public',
    answer: 'text/html; charset=utf-8',
  }),
  consoleFile: route({
    method: 'GET',
    path: '/console/:file',
    summary: 'A script, style, icon or manifest of the web console',
    audience: 'public',
    params: z.strictObject({ file: z.string().min(1).max(100) }),
    answer: '*/*',
  }),
} as const
