import * as z from 'zod'
import { MailOf, Timestamp } from './messages.ts'

/** Number of columns in a chart. */
export const chartColumns = 96

/**
 * The last `hours` of the messages of the members that `of` names; by default of the caller and the machines that the caller owns, or,
 * for an admin, of all.
 */
export const ChartsQuery = z.strictObject({
  hours: z.coerce.number().int().min(1).max(720).default(24),
  of: MailOf.optional(),
})

/** Columns of `bucketS` seconds each, starting at `from`, oldest first. All lists have the same length; the last column is incomplete. */
export const ChartsAnswer = z.object({
  from: Timestamp,
  bucketS: z.number(),
  /** Number of messages sent. */
  sends: z.array(z.number().int()),
  /** Time until a session was notified of a message or fetched it, in ms, in the column of its send; null if none was sent. */
  noticeMs: z.object({ p50: z.array(z.number().int().nullable()), p95: z.array(z.number().int().nullable()) }),
  /** Age of the oldest unread message at the end of each column, in s; null if there was none. */
  oldestUnreadS: z.array(z.number().int().nullable()),
})
export type ChartsAnswer = z.infer<typeof ChartsAnswer>
