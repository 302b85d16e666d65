import * as z from 'zod'
import { HubName, HubsAnswer } from '../hubs.ts'
import { admins, anyToken, route } from './route.ts'

/** The hubs that share one history. */
export const hubsRoutes = {
  listHubs: route({
    method: 'GET',
    path: '/v1/hubs',
    summary: 'List the hubs of this history with their addresses and keys; for an admin also with their progress',
    audience: anyToken,
    answer: HubsAnswer,
  }),
  hubSnapshot: route({
    method: 'GET',
    path: '/v1/hubs/snapshot',
    summary: 'A verified backup, for another hub of this history, which presents the secret that they share in etcd',
    audience: 'public',
    answer: 'application/vnd.sqlite3',
  }),
  forgetHub: route({
    method: 'DELETE',
    path: '/v1/hubs/:name',
    summary: 'Remove a hub that will not return: the others no longer wait for it',
    audience: admins,
    params: z.strictObject({ name: HubName }),
    answer: z.object({ name: HubName }),
  }),
} as const
