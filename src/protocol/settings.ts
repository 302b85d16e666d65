import * as z from 'zod'

/** What an admin may set at run time. */
export const Settings = z.object({
  /** How long texts stay once a message is over: acked or expired at every recipient. */
  keepTextDays: z.number().int(),
})
export type Settings = z.infer<typeof Settings>

/** What is left out stays as it is. Ten years are as good as for ever. */
export const SettingsChange = z.strictObject({ keepTextDays: z.number().int().min(1).max(3650).optional() })
