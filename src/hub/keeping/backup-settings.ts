import * as z from 'zod'

/** The field `backup` of hub.json. Null: no backups by the clock; one that is asked for goes by the defaults. */
export const BackupField = z
  .strictObject({
    /** Hours between two backups. */
    everyHours: z.number().positive().max(168).default(1),
    /** How many of the newest stay. */
    keepNewest: z.number().int().min(1).default(24),
    /** Of how many days the last one stays. */
    keepDays: z.number().int().min(0).default(7),
    /** How many GiB all of them may have together; the newest two stay whatever they have. Null: as many as there are. */
    keepGiB: z.number().positive().nullable().default(20),
    /** Where they are; `backups` in the data directory unless it is said. */
    dir: z.string().min(1).optional(),
    /** Where the tail of the newest backup is written: on another disk than the store. Without it there are no tails. */
    logTo: z.string().min(1).optional(),
    /** How many GiB one tail may have; at half of that a new backup is made, whose tail is empty. */
    logGiB: z.number().positive().max(1024).default(4),
  })
  .nullable()
  .prefault({})

/** As a hub goes by it: `everyHours` is null for never by itself, `dir` and `logTo` are absolute. */
export interface BackupSettings {
  everyHours: number | null
  keepNewest: number
  keepDays: number
  keepGiB: number | null
  dir: string
  logTo?: string
  logGiB: number
}
