import * as z from 'zod'
import { MessageId } from './ids.ts'
import { Timestamp } from './messages.ts'
import { MemberName } from './names.ts'

/** Who calls a webhook: it decides how a call is proven, and how its events are read. */
export const WebhookSource = z.enum(['github', 'gitlab', 'alertmanager', 'generic'])
export type WebhookSource = z.infer<typeof WebhookSource>

/** Most bytes of the body of one call. GitHub sends up to 25 MiB, for pushes that change very much. */
export const maxWebhookBytes = 1024 * 1024

/** How long the URL and the signing secret of before a rotation go on, in seconds. */
export const webhookOverlapS = 600

const To = z
  .array(z.string().trim().min(1).max(201))
  .min(1, 'it names nobody')
  .max(20, 'a webhook has 20 recipients at most')
/** See docs/webhooks.md: text with `{{line}}`, `{{link}}`, `{{actor}}`, `{{event}}` and `{{payload.PATH}}`. */
const Template = z.string().min(1).max(2000, 'a template has 2000 characters at most')
const FailedAs = z.literal('request')

export const WebhookRequest = z.strictObject({
  name: MemberName,
  source: WebhookSource,
  to: To,
  template: Template.optional(),
  /** What reports a failure is a `request` then, everything else an `inform`. */
  failedAs: FailedAs.optional(),
  /** Of `generic`: calls must be signed (Standard Webhooks). GitHub and GitLab always sign; Alertmanager cannot. */
  signed: z.literal(true).optional(),
})
export type WebhookRequest = z.infer<typeof WebhookRequest>

/** What is left out stays; null takes it away. */
export const WebhookChange = z.strictObject({
  to: To.optional(),
  template: Template.nullable().optional(),
  failedAs: FailedAs.nullable().optional(),
})

/** What a webhook is called with, shown here and never again. `url` is there where hub.json says under which address the hub is reached. */
export const WebhookSecrets = z.object({
  name: z.string(),
  source: WebhookSource,
  path: z.string(),
  url: z.string().optional(),
  /** Absent where nothing is signed. */
  signingSecret: z.string().optional(),
  /** Of a rotation: until when the ones of before go on; null where they have ended. */
  goesOnUntil: Timestamp.nullable().optional(),
})
export type WebhookSecrets = z.infer<typeof WebhookSecrets>

/** `now` ends the URL and the secret of before at once. */
export const WebhookRotateQuery = z.strictObject({ now: z.literal('true').optional() })

/** What came of a call: stored as a message, the same as one before, not told of by design, or refused with a code. */
export const WebhookCall = z.object({
  at: Timestamp,
  event: z.string(),
  result: z.string(),
  /** Why, in a sentence. */
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
  /** Its URL was revoked: nothing can call it until it is rotated. */
  revoked: z.boolean(),
  /** From where it may be called; none is anywhere. */
  boundTo: z.array(z.string()),
  /** Calls since the hub was started, and the last of them. */
  stored: z.number().int(),
  refused: z.number().int(),
  last: WebhookCall.nullable(),
})
export type Webhook = z.infer<typeof Webhook>
export const WebhooksAnswer = z.object({ webhooks: z.array(Webhook) })

/** What the caller of a webhook is answered. `ignored` says why an event became no message. */
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
