import * as z from 'zod'
import { MemberName } from './names.ts'

/** Which events a webhook posts: one filter each, such as `to seanclaude and intent urgent`. An event that meets any of them is posted. */
export const OutgoingFilters = z.array(z.string().trim().min(1).max(300)).min(1).max(20)

/** A webhook that posts events of the hub to a URL. */
export const OutgoingRequest = z.strictObject({
  name: MemberName.optional().describe('made from the host of the URL where it is left out'),
  url: z.string().min(1).max(2048).describe('http or https; redirects are not followed'),
  on: OutgoingFilters,
  body: z
    .string()
    .min(1)
    .max(8192)
    .optional()
    .describe('JSON with {{placeholders}}; without it the event itself is posted'),
  text: z.boolean().optional().describe('whether texts of messages are posted'),
})
export type OutgoingRequest = z.output<typeof OutgoingRequest>

/** `signingSecret` (`whsec_…`) signs every post, and is shown this once. */
export const OutgoingAdded = z.object({ name: z.string(), signingSecret: z.string() })

export const OutgoingNamed = z.strictObject({ name: MemberName })
export const DeadNamed = z.strictObject({ name: MemberName, id: z.string().min(1).max(120) })

const time = z.iso.datetime()

/** One webhook, and how its receiver fares. */
export const OutgoingWebhook = z.object({
  name: z.string(),
  /** Scheme and host alone: the rest of such a URL is often a secret. */
  to: z.string(),
  /** With the names that its members have now. */
  on: z.array(z.string()),
  body: z.string().nullable(),
  text: z.boolean(),
  createdAt: time,
  /** `gone`: its receiver answered 410, and nothing more is posted until a test succeeds. */
  state: z.enum(['on', 'gone']),
  delivered: z.number().int(),
  lastDeliveredAt: time.nullable(),
  /** Failed events that are tried again. */
  waiting: z.number().int(),
  /** Events that are not tried any more. */
  dead: z.number().int(),
  /** What is wrong with the receiver since its last success, in words; null while nothing is. */
  trouble: z.string().nullable(),
})
export type OutgoingWebhook = z.output<typeof OutgoingWebhook>

export const OutgoingList = z.object({ webhooks: z.array(OutgoingWebhook) })

/** What came of a test event. `why` is in words, where it was not delivered. */
export const OutgoingTested = z.object({
  name: z.string(),
  delivered: z.boolean(),
  status: z.number().int().nullable(),
  why: z.string().nullable(),
  ms: z.number().int(),
})
export type OutgoingTested = z.output<typeof OutgoingTested>

/** An event that was given up. `id` is its `webhook-id`; `at` is when it happened. */
export const DeadLetter = z.object({
  id: z.string(),
  event: z.enum(['message', 'expired', 'refused']),
  at: time,
  /** What it says, in one line without texts; null where the message is not kept any more. */
  line: z.string().nullable(),
  attempts: z.number().int(),
  why: z.string(),
  deadAt: time,
})
export type DeadLetter = z.output<typeof DeadLetter>

/** Newest first, 100 at most; `more` are there besides. */
export const DeadLetters = z.object({ dead: z.array(DeadLetter), more: z.number().int() })
