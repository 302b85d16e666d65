import * as z from 'zod'

/** The field `backup` of hub.json. Null disables scheduled backups; one made on request uses the defaults. */
export const BackupField = z
  .strictObject({
    /** Hours between two backups. */
    everyHours: z.number().positive().max(168).default(1),
    /** Number of the newest backups to keep. */
    keepNewest: z.number().int().min(1).default(24),
    /** Number of days of which the last backup is kept. */
    keepDays: z.number().int().min(0).default(7),
    /** Total size of all backups, in GiB; the newest two are kept whatever their size. Null: unlimited. */
    keepGiB: z.number().positive().nullable().default(20),
    /** Directory of the backups; by default `backups` in the data directory. */
    dir: z.string().min(1).optional(),
    /** Directory for the tail of the newest backup, on another disk than the store. Without it there are no tails. */
    logTo: z.string().min(1).optional(),
    /** Maximum size of one tail, in GiB; at half of it a new backup is made, whose tail is empty. */
    logGiB: z.number().positive().max(1024).default(4),
  })
  .nullable()
  .prefault({})

/** The resolved settings: `everyHours` is null for no schedule, `dir` and `logTo` are absolute. */
export interface BackupSettings {
  everyHours: number | null
  keepNewest: number
  keepDays: number
  keepGiB: number | null
  dir: string
  logTo?: string
  logGiB: number
}
