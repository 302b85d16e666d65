import * as z from 'zod'
import { MessageId } from './ids.ts'
import { Timestamp } from './messages.ts'
import { MemberName } from './names.ts'

/** The kind of system that calls a webhook: it determines how calls are authenticated and how events are parsed. */
export const WebhookSource = z.enum(['github', 'gitlab', 'alertmanager', 'generic'])
export type WebhookSource = z.infer<typeof WebhookSource>

/** Maximum length of the body of one call, in bytes. GitHub sends up to 25 MiB, for very large pushes. */
export const maxWebhookBytes = 1024 * 1024

/** Time for which the URL and the signing secret stay valid after a rotation, in seconds. */
export const webhookOverlapS = 600

const To = z
  .array(z.string().trim().min(1).max(201))
  .min(1, 'it names nobody')
  .max(20, 'a webhook has 20 recipients at most')
/** Text with the placeholders of docs/webhooks.md: `{{line}}`, `{{link}}`, `{{actor}}`, `{{event}}` and `{{payload.PATH}}`. */
const Template = z.string().min(1).max(2000, 'a template has 2000 characters at most')
const FailedAs = z.literal('request')

export const WebhookRequest = z.strictObject({
  name: MemberName,
  source: WebhookSource,
  to: To,
  template: Template.optional(),
  /** If set, events that report a failure become a `request`, all others an `inform`. */
  failedAs: FailedAs.optional(),
  /** For `generic`: calls must be signed (Standard Webhooks). GitHub and GitLab always sign; Alertmanager cannot. */
  signed: z.literal(true).optional(),
})
export type WebhookRequest = z.infer<typeof WebhookRequest>

/** Absent fields are unchanged; null removes one. */
export const WebhookChange = z.strictObject({
  to: To.optional(),
  template: Template.nullable().optional(),
  failedAs: FailedAs.nullable().optional(),
})

/** The URL and secret of a webhook, shown only here. `url` is present if hub.json gives the hub's address. */
export const WebhookSecrets = z.object({
  name: z.string(),
  source: WebhookSource,
  path: z.string(),
  url: z.string().optional(),
  /** Absent if calls are not signed. */
  signingSecret: z.string().optional(),
  /** After a rotation: time until which the previous ones stay valid; null if they are already invalid. */
  goesOnUntil: Timestamp.nullable().optional(),
})
export type WebhookSecrets = z.infer<typeof WebhookSecrets>

/** `now` invalidates the previous URL and secret immediately. */
export const WebhookRotateQuery = z.strictObject({ now: z.literal('true').optional() })

/** Result of a call: stored as a message, a repetition of an earlier one, ignored by design, or refused with a code. */
export const WebhookCall = z.object({
  at: Timestamp,
  event: z.string(),
  result: z.string(),
  /** The reason, in a sentence. */
  why: z.string().optional(),
})

export const Webhook = z.object({
  name: z.string(),
  source: WebhookSource,
  to: z.array(z.string()),
  template: z.string().nullable(),
  failedAs: FailedAs.nullable(),
  signed: z.boolean(),
  createdAt: Timestamp,
  rotatedAt: Timestamp.nullable(),
  /** Whether its URL was revoked, so that it cannot be called until it is rotated. */
  revoked: z.boolean(),
  /** Ranges from which it may be called; empty for any address. */
  boundTo: z.array(z.string()),
  /** Calls since the hub started, and the last of them. */
  stored: z.number().int(),
  refused: z.number().int(),
  last: WebhookCall.nullable(),
})
export type Webhook = z.infer<typeof Webhook>
export const WebhooksAnswer = z.object({ webhooks: z.array(Webhook) })

/** The response to the caller of a webhook. `ignored` is the reason why an event became no message. */
export const WebhookAnswer = z.object({
  stored: z.boolean(),
  id: MessageId.optional(),
  repeated: z.literal(true).optional(),
  ignored: z.string().optional(),
})
export type WebhookAnswer = z.infer<typeof WebhookAnswer>

export const WebhookTested = z.object({
  id: MessageId,
  body: z.string(),
  recipients: z.array(z.object({ name: z.string(), status: z.string(), reason: z.string().optional() })),
})
