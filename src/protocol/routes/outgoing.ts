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
    summary: 'Make a webhook that posts chosen events, signed, to a URL; its signing secret is shown this once',
    audience: admins,
    body: OutgoingRequest,
    answer: OutgoingAdded,
    statuses: [201],
  }),
  listOutgoing: route({
    method: 'GET',
    path: '/v1/admin/outgoing',
    summary: 'Every webhook that posts events, and how its receiver fares',
    audience: admins,
    answer: OutgoingList,
  }),
  testOutgoing: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/test',
    summary: 'Post a test event now; a success turns on again a webhook whose receiver was gone',
    audience: admins,
    params: OutgoingNamed,
    answer: OutgoingTested,
  }),
  rotateOutgoing: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/rotate',
    summary: 'Give a webhook a new signing secret; for 24 hours posts carry a signature by the old one too',
    audience: admins,
    params: OutgoingNamed,
    answer: OutgoingAdded,
  }),
  listDead: route({
    method: 'GET',
    path: '/v1/admin/outgoing/:name/dead',
    summary: 'Events of a webhook that were given up, newest first',
    audience: admins,
    params: OutgoingNamed,
    answer: DeadLetters,
  }),
  retryDead: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/dead/:id/retry',
    summary: 'Try a given-up event again, for 24 hours as at first',
    audience: admins,
    params: DeadNamed,
    answer: z.object({ name: z.string(), retried: z.number().int() }),
  }),
  retryAllDead: route({
    method: 'POST',
    path: '/v1/admin/outgoing/:name/dead/retry',
    summary: 'Try every given-up event of a webhook again',
    audience: admins,
    params: OutgoingNamed,
    answer: z.object({ name: z.string(), retried: z.number().int() }),
  }),
  dropDead: route({
    method: 'DELETE',
    path: '/v1/admin/outgoing/:name/dead',
    summary: 'Forget every given-up event of a webhook',
    audience: admins,
    params: OutgoingNamed,
    answer: z.object({ name: z.string(), dropped: z.number().int() }),
  }),
  deleteOutgoing: route({
    method: 'DELETE',
    path: '/v1/admin/outgoing/:name',
    summary: 'Take a webhook away, with the events that it has not delivered',
    audience: admins,
    params: OutgoingNamed,
    answer: z.object({ name: z.string(), undelivered: z.number().int() }),
  }),
} as const
