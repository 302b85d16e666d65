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

/** Events from outside: the endpoint that receives calls, and the administration of webhooks. */
export const webhooksRoutes = {
  receiveWebhook: route({
    method: 'POST',
    path: '/webhooks/:name/:secret',
    summary:
      'An event from outside, as its source sends it, authenticated by the secret in the path and, if there is one, the signature',
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
    summary: 'Create a service with a webhook, which turns events from outside into messages',
    audience: admins,
    body: WebhookRequest,
    answer: WebhookSecrets,
    statuses: [201],
  }),
  listWebhooks: route({
    method: 'GET',
    path: '/v1/admin/webhooks',
    summary: 'List every webhook, with the result of its last call',
    audience: admins,
    answer: WebhooksAnswer,
  }),
  changeWebhook: route({
    method: 'PUT',
    path: '/v1/admin/webhooks/:name',
    summary: 'Change the recipients, the template or the intent of failures; absent fields are unchanged',
    audience: admins,
    params: MemberNamed,
    body: WebhookChange,
    answer: z.object({ name: z.string() }),
  }),
  rotateWebhook: route({
    method: 'POST',
    path: '/v1/admin/webhooks/:name/rotate',
    summary: 'Replace the URL and the signing secret; the old ones stay valid for 10 minutes',
    audience: admins,
    params: MemberNamed,
    query: WebhookRotateQuery,
    answer: WebhookSecrets,
    statuses: [201],
  }),
  testWebhook: route({
    method: 'POST',
    path: '/v1/admin/webhooks/:name/test',
    summary: 'Send an example event to the recipients of a webhook',
    audience: admins,
    params: MemberNamed,
    answer: WebhookTested,
  }),
  deleteWebhook: route({
    method: 'DELETE',
    path: '/v1/admin/webhooks/:name',
    summary: 'Delete a webhook and its service; its messages stay',
    audience: admins,
    params: MemberNamed,
    answer: z.object({ name: z.string() }),
  }),
} as const
