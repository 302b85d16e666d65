import * as z from 'zod'
import { errorCodes } from './errors.ts'

/** The schema of `ErrorBody`, apart from the errors themselves: what only throws them need not load zod. */
export const ErrorBody = z.object({
  error: z.object({
    code: z.enum(errorCodes),
    message: z.string(),
    hint: z.string(),
    retryAfterMs: z.number().int().nonnegative().optional(),
    settled: z.literal(true).optional(),
  }),
})
