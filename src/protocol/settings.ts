import * as z from 'zod'

/** What an admin may set at run time. */
export const Settings = z.object({
  /** How long texts stay once a message is over: acked or expired at every recipient. */
  keepTextDays: z.number().int(),
  /** Most unread messages, and bytes of their texts, in one inbox. */
  inboxMessages: z.number().int(),
  inboxBytes: z.number().int(),
  /** The part of an inbox that one sender may fill, and the last part, which is kept for others and for what is urgent. */
  senderPercent: z.number().int(),
  reservePercent: z.number().int(),
  /** How many days a member's token lives; its machine renews it once half of them are over. 0 for no limit, as in older hubs. */
  tokenDays: z.number().int().default(0),
})
export type Settings = z.infer<typeof Settings>

/** What is left out stays as it is. Ten years are as good as for ever. */
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
