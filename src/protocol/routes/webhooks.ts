import * as z from 'zod'
import { MemberNamed } from '../members.ts'
import {
  maxWebhookBytes,
  WebhookAnswer,
  WebhookChange,
  WebhookRequest,
  WebhookRotateQuery,
  WebhookSecrets,
  WebhooksAnswer,
  WebhookTested,
} from '../webhooks.ts'
import { admins, route } from './route.ts'

/** Events from outside: what calls a webhook, and what the admin does with webhooks. */
export const webhooksRoutes = {
  receiveWebhook: route({
    method: 'POST',
    path: '/webhooks/:name/:secret',
    summary:
      'An event from outside, as its source sends it; the secret in the path and, where there is one, the signature prove it',
    audience: 'public',
    params: z.strictObject({ name: z.string().min(1).max(64), secret: z.string().min(1).max(64) }),
    rawBytes: maxWebhookBytes,
    body: z.unknown(),
    answer: WebhookAnswer,
    statuses: [201, 200],
  }),
  addWebhook: route({
    method: 'POST',
    path: '/v1/admin/webhooks',
    summary: 'Make a service with a webhook, through which events from outside become messages',
    audience: admins,
    body: WebhookRequest,
    answer: WebhookSecrets,
    statuses: [201],
  }),
  listWebhooks: route({
    method: 'GET',
    path: '/v1/admin/webhooks',
    summary: 'Every webhook, and how its last call fared',
    audience: admins,
    answer: WebhooksAnswer,
  }),
  changeWebhook: route({
    method: 'PUT',
    path: '/v1/admin/webhooks/:name',
    summary: 'Change to whom events go, their template, or what a failure becomes; what is left out stays',
    audience: admins,
    params: MemberNamed,
    body: WebhookChange,
    answer: z.object({ name: z.string() }),
  }),
  rotateWebhook: route({
    method: 'POST',
    path: '/v1/admin/webhooks/:name/rotate',
    summary: 'Another URL and signing secret; the old ones go on for 10 minutes',
    audience: admins,
    params: MemberNamed,
    query: WebhookRotateQuery,
    answer: WebhookSecrets,
    statuses: [201],
  }),
  testWebhook: route({
    method: 'POST',
    path: '/v1/admin/webhooks/:name/test',
    summary: 'Send an example of an event to the recipients of a webhook',
    audience: admins,
    params: MemberNamed,
    answer: WebhookTested,
  }),
  deleteWebhook: route({
    method: 'DELETE',
    path: '/v1/admin/webhooks/:name',
    summary: 'Take a webhook and its service away; what it wrote stays',
    audience: admins,
    params: MemberNamed,
    answer: z.object({ name: z.string() }),
  }),
} as const
