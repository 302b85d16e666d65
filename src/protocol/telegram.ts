import * as z from 'zod'
import { Timestamp } from './messages.ts'

/** One link between the hub and people on Telegram, and how to mend it. */
export const TelegramCheck = z.object({
  link: z.string(),
  state: z.enum(['ok', 'warning', 'failed']),
  found: z.string(),
  mend: z.string().optional(),
})
export type TelegramCheck = z.infer<typeof TelegramCheck>
export const TelegramCheckAnswer = z.object({ checks: z.array(TelegramCheck) })

/** A numeric user id of Telegram: up to 52 bits (core.telegram.org/bots/api#user). */
const UserId = z.number().int().positive()

/**
 * Who a human of hub.json is on Telegram. `by` says how that is known: `config` gives the id, `confirmed` was seen and confirmed by
 * the admin, `nobody` is not known yet. `candidate` was seen in the group under the configured user name and waits for the admin.
 */
export const TelegramPerson = z.object({
  name: z.string(),
  username: z.string().nullable(),
  userId: UserId.nullable(),
  by: z.enum(['config', 'confirmed', 'nobody']),
  candidate: z.object({ userId: UserId, name: z.string(), seenAt: Timestamp }).nullable(),
  isPrivate: z.boolean(),
  waiting: z.number().int(),
})
export type TelegramPerson = z.infer<typeof TelegramPerson>

/** How the bridge fares. `trouble` says what is wrong in a sentence; null while all is well. */
export const TelegramStatus = z.object({
  configured: z.boolean(),
  bot: z.string().nullable(),
  chatId: z.number().int().nullable(),
  lastPollAt: Timestamp.nullable(),
  trouble: z.string().nullable(),
  /** How often Telegram asked to wait (429) since the start. */
  toldToWait: z.number().int(),
  /** Of several hubs that share a history: the name of the one that carries mail to Telegram, where that is not this one. Null while none does. */
  carriedBy: z.string().nullable().optional(),
  people: z.array(TelegramPerson),
  /** Mail that Telegram refuses for good. */
  failed: z.array(z.object({ seq: z.number().int(), name: z.string(), why: z.string() })),
})
export type TelegramStatus = z.infer<typeof TelegramStatus>

/** The user whom the admin was shown; null takes back what was confirmed. */
export const TelegramConfirm = z.strictObject({ userId: UserId.nullable() })
export const TelegramConfirmed = z.object({ name: z.string(), userId: UserId.nullable() })
