import * as z from 'zod'
import {
  DeadLetters,
  DeadNamed,
  OutgoingAdded,
  OutgoingList,
  OutgoingNamed,
  OutgoingRequest,
  OutgoingTested,
} from '../outgoing.ts'
import { admins, route } from './route.ts'

/** Webhooks that post events of the hub to a URL. */
export const outgoingRoutes = {
  addOutgoing: route({
    method: 'POST',
    path: '/v1/admin/outgoing',
    summary: 'Create a webhook that posts selected events, signed, to a URL; its signing secret is shown only once',
    audience: admins,
    body: OutgoingRequest,
    answer: OutgoingAdded,
    statuses: [201],
  }),
  listOutgoing: route({
    method: 'GET',
    path: '/v1/admin/outgoing',
    summary: 'List every webhook that posts events, with the state of its receiver',
    audience: admins,
    answer: OutgoingList,
  }),
  testOutgoing: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/test',
    summary: 'Post a test event now; a success reactivates a webhook whose receiver was gone',
    audience: admins,
    params: OutgoingNamed,
    answer: OutgoingTested,
  }),
  rotateOutgoing: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/rotate',
    summary: 'Give a webhook a new signing secret; for 24 hours posts are also signed with the old one',
    audience: admins,
    params: OutgoingNamed,
    answer: OutgoingAdded,
  }),
  listDead: route({
    method: 'GET',
    path: '/v1/admin/outgoing/:name/dead',
    summary: 'List the dead letters of a webhook, newest first',
    audience: admins,
    params: OutgoingNamed,
    answer: DeadLetters,
  }),
  retryDead: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/dead/:id/retry',
    summary: 'Retry a dead letter, for 24 hours as at first',
    audience: admins,
    params: DeadNamed,
    answer: z.object({ name: z.string(), retried: z.number().int() }),
  }),
  retryAllDead: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/dead/retry',
    summary: 'Retry every dead letter of a webhook',
    audience: admins,
    params: OutgoingNamed,
    answer: z.object({ name: z.string(), retried: z.number().int() }),
  }),
  dropDead: route({
    method: 'DELETE',
    path: '/v1/admin/outgoing/:name/dead',
    summary: 'Delete every dead letter of a webhook',
    audience: admins,
    params: OutgoingNamed,
    answer: z.object({ name: z.string(), dropped: z.number().int() }),
  }),
  deleteOutgoing: route({
    method: 'DELETE',
    path: '/v1/admin/outgoing/:name',
    summary: 'Delete a webhook, with the events that it has not delivered',
    audience: admins,
    params: OutgoingNamed,
    answer: z.object({ name: z.string(), undelivered: z.number().int() }),
  }),
} as const
