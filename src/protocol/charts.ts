import * as z from 'zod'
import { MailOf, Timestamp } from './messages.ts'

/** How many columns a chart has. */
export const chartColumns = 96

/** The last `hours` of the mail of whoever `of` names; without it of the caller and the machines that the caller owns, or, for an admin, of all. */
export const ChartsQuery = z.strictObject({
  hours: z.coerce.number().int().min(1).max(720).default(24),
  of: MailOf.optional(),
})

/** Columns of `bucketS` seconds each from `from` on, the oldest first, all lists equally long; the last one goes on. */
export const ChartsAnswer = z.object({
  from: Timestamp,
  bucketS: z.number(),
  /** How many messages were sent. */
  sends: z.array(z.number().int()),
  /** How long it took until a session was told of a message or given it, in ms, by when that was sent; null where nothing was. */
  noticeMs: z.object({ p50: z.array(z.number().int().nullable()), p95: z.array(z.number().int().nullable()) }),
  /** How old the oldest unread message was at the end of each, in s; null where there was none. */
  oldestUnreadS: z.array(z.number().int().nullable()),
})
export type ChartsAnswer = z.infer<typeof ChartsAnswer>
