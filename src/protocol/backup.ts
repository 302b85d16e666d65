import * as z from 'zod'
import { Timestamp } from './messages.ts'

/** What a backup holds, found out by reading all of it. */
export const BackupReport = z.object({
  /** Where it is, on the hub's host. */
  file: z.string(),
  bytes: z.number().int(),
  schema: z.number().int(),
  epoch: z.string(),
  /** The last entry of the history in it, and when that was. */
  seq: z.number().int(),
  lastChangeAt: Timestamp,
  members: z.number().int(),
  messages: z.number().int(),
  unread: z.number().int(),
  /** SHA-256 over all rows, in hex. */
  fingerprint: z.string(),
  /** The chain of what came of every entry, SHA-256 in base64; empty for a store of before it was kept. */
  outcomes: z.string().default(''),
})
export type BackupReport = z.infer<typeof BackupReport>
