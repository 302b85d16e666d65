import * as z from 'zod'
import { HubName, HubsAnswer } from '../hubs.ts'
import { admins, anyToken, route } from './route.ts'

/** The hubs that share one history. */
export const hubsRoutes = {
  listHubs: route({
    method: 'GET',
    path: '/v1/hubs',
    summary: 'The hubs of this history with their addresses and keys; for an admin also how far each is',
    audience: anyToken,
    answer: HubsAnswer,
  }),
  hubSnapshot: route({
    method: 'GET',
    path: '/v1/hubs/snapshot',
    summary: 'A checked backup, for another hub of this history: it shows the secret that etcd has for them',
    audience: 'public',
    answer: 'application/vnd.sqlite3',
  }),
  forgetHub: route({
    method: 'DELETE',
    path: '/v1/hubs/:name',
    summary: 'Forget a hub that does not come back: it is waited for no more',
    audience: admins,
    params: z.strictObject({ name: HubName }),
    answer: z.object({ name: HubName }),
  }),
} as const
