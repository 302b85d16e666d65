import * as z from 'zod'

/** Settings that an admin may change at run time. */
export const Settings = z.object({
  /** Retention of a text after its message is over, that is, acked or expired at every recipient. */
  keepTextDays: z.number().int(),
  /** Maximum number of unread messages in one inbox, and of bytes of their texts. */
  inboxMessages: z.number().int(),
  inboxBytes: z.number().int(),
  /** Share of an inbox that one sender may fill, and the last share, which is reserved for others and for urgent messages. */
  senderPercent: z.number().int(),
  reservePercent: z.number().int(),
  /** Lifetime of a member's token in days; its machine renews it after half of that. 0 for no limit, as in older hubs. */
  tokenDays: z.number().int().default(0),
})
export type Settings = z.infer<typeof Settings>

/** Absent settings are unchanged. */
export const SettingsChange = z.strictObject({
  keepTextDays: z.number().int().min(1).max(3650).optional(),
  inboxMessages: z.number().int().min(100).max(1_000_000).optional(),
  inboxBytes: z
    .number()
    .int()
    .min(1024 * 1024)
    .max(2 ** 34)
    .optional(),
  senderPercent: z.number().int().min(11).max(100).optional(),
  reservePercent: z.number().int().min(0).max(50).optional(),
  tokenDays: z.number().int().min(0).max(3650).optional(),
})
