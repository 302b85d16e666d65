import * as z from 'zod'
import { Timestamp } from './messages.ts'

/** Check of one link between the hub and people on Telegram; `mend` is the fix. */
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
 * The Telegram user of a human in hub.json. `by` is the source of the id: `config`, or `confirmed` by the admin after it was seen, or
 * `nobody` while unknown. `candidate` was seen in the group under the configured user name and waits for the admin's confirmation.
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

/** State of the bridge. `trouble` is the fault, in a sentence; null if there is none. */
export const TelegramStatus = z.object({
  configured: z.boolean(),
  bot: z.string().nullable(),
  chatId: z.number().int().nullable(),
  lastPollAt: Timestamp.nullable(),
  trouble: z.string().nullable(),
  /** Number of times Telegram asked to wait (429) since the start. */
  toldToWait: z.number().int(),
  /** If several hubs share a history: the name of the one that runs the bridge, if that is not this one. Null while none does. */
  carriedBy: z.string().nullable().optional(),
  people: z.array(TelegramPerson),
  /** Messages that Telegram has permanently rejected. */
  failed: z.array(z.object({ seq: z.number().int(), name: z.string(), why: z.string() })),
})
export type TelegramStatus = z.infer<typeof TelegramStatus>

/** The user whom the admin was shown; null revokes the confirmation. */
export const TelegramConfirm = z.strictObject({ userId: UserId.nullable() })
export const TelegramConfirmed = z.object({ name: z.string(), userId: UserId.nullable() })
