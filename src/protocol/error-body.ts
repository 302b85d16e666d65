import * as z from 'zod'
import { errorCodes } from './errors.ts'

/** The schema of `ErrorBody`, in a file of its own so that code that only throws errors does not load zod. */
export const ErrorBody = z.object({
  error: z.object({
    code: z.enum(errorCodes),
    message: z.string(),
    hint: z.string(),
    retryAfterMs: z.number().int().nonnegative().optional(),
    settled: z.literal(true).optional(),
  }),
})
