import * as z from 'zod'
import { Timestamp } from './messages.ts'

/** Contents of a backup, determined by reading all of it. */
export const BackupReport = z.object({
  /** Its path on the hub's host. */
  file: z.string(),
  bytes: z.number().int(),
  schema: z.number().int(),
  epoch: z.string(),
  /** The last journal entry in it, and the time of that entry. */
  seq: z.number().int(),
  lastChangeAt: Timestamp,
  members: z.number().int(),
  messages: z.number().int(),
  unread: z.number().int(),
  /** SHA-256 over all rows, in hex. */
  fingerprint: z.string(),
  /** The hash chain over the outcomes of all entries, SHA-256 in base64; empty if the store is older than this chain. */
  outcomes: z.string().default(''),
})
export type BackupReport = z.infer<typeof BackupReport>
