import * as z from 'zod'
import { MemberName } from './names.ts'

/** Filters of a webhook, such as `to seanclaude and intent urgent`. An event that matches any of them is posted. */
const OutgoingFilters = z.array(z.string().trim().min(1).max(300)).min(1).max(20)

/** A webhook that posts events of the hub to a URL. */
export const OutgoingRequest = z.strictObject({
  name: MemberName.optional().describe('derived from the host of the URL by default'),
  url: z.string().min(1).max(2048).describe('http or https; redirects are not followed'),
  on: OutgoingFilters,
  body: z
    .string()
    .min(1)
    .max(8192)
    .optional()
    .describe('JSON with {{placeholders}}; without it the event itself is posted'),
  text: z.boolean().optional().describe('whether the texts of messages are posted'),
})
export type OutgoingRequest = z.output<typeof OutgoingRequest>

/** `signingSecret` (`whsec_…`) signs every post, and is shown only here. */
export const OutgoingAdded = z.object({ name: z.string(), signingSecret: z.string() })

export const OutgoingNamed = z.strictObject({ name: MemberName })
export const DeadNamed = z.strictObject({ name: MemberName, id: z.string().min(1).max(120) })

const time = z.iso.datetime()

/** A webhook and the state of its receiver. */
export const OutgoingWebhook = z.object({
  name: z.string(),
  /** Only scheme and host: the rest of such a URL is often a secret. */
  to: z.string(),
  /** The filters, with the current names of members. */
  on: z.array(z.string()),
  body: z.string().nullable(),
  text: z.boolean(),
  createdAt: time,
  /** `gone`: the receiver returned 410, and nothing is posted until a test succeeds. */
  state: z.enum(['on', 'gone']),
  delivered: z.number().int(),
  lastDeliveredAt: time.nullable(),
  /** Number of failed events that will be retried. */
  waiting: z.number().int(),
  /** Number of events that are no longer retried. */
  dead: z.number().int(),
  /** Description of the receiver's failure since its last success; null if there is none. */
  trouble: z.string().nullable(),
})
export type OutgoingWebhook = z.output<typeof OutgoingWebhook>

export const OutgoingList = z.object({ webhooks: z.array(OutgoingWebhook) })

/** Result of a test event. `why` is the reason, in words, if it was not delivered. */
export const OutgoingTested = z.object({
  name: z.string(),
  delivered: z.boolean(),
  status: z.number().int().nullable(),
  why: z.string().nullable(),
  ms: z.number().int(),
})
export type OutgoingTested = z.output<typeof OutgoingTested>

/** An event that the webhook has given up on. `id` is its `webhook-id`; `at` is the time of the event. */
export const DeadLetter = z.object({
  id: z.string(),
  event: z.enum(['message', 'expired', 'refused']),
  at: time,
  /** Summary in one line, without texts; null if the message is no longer stored. */
  line: z.string().nullable(),
  attempts: z.number().int(),
  why: z.string(),
  deadAt: time,
})
export type DeadLetter = z.output<typeof DeadLetter>

/** Newest first, 100 at most; `more` counts the others. */
export const DeadLetters = z.object({ dead: z.array(DeadLetter), more: z.number().int() })
