import * as z from 'zod'
import { errorCodes } from './errors.ts'
import { maxPage, Timestamp } from './messages.ts'

/**
 * One line of the audit: who (`actor`, by which token's public `tokenId`, from which `address`) did what (`action`) to whom
 * (`target`), and what came of it. What is not known is null: nobody was proven by a login that failed.
 */
export const AuditLine = z.object({
  id: z.number().int(),
  at: Timestamp,
  actor: z.string().nullable(),
  tokenId: z.string().nullable(),
  address: z.string().nullable(),
  action: z.string(),
  target: z.string().nullable(),
  /** The names that the change was made with: `to=omega`, `owner=sean`. */
  detail: z.string().nullable(),
  result: z.enum(['ok', ...errorCodes]),
  /** How many refusals this line stands for: 1, or those of a flood that were not written one by one. */
  count: z.number().int(),
})
export type AuditLine = z.infer<typeof AuditLine>

/** Filters, each exact. `before` of a next page is the id of the last line here. */
export const AuditQuery = z.strictObject({
  actor: z.string().trim().min(1).max(100).optional(),
  action: z.string().trim().min(1).max(100).optional(),
  target: z.string().trim().min(1).max(100).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  before: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(maxPage).default(maxPage),
})
export type AuditQuery = z.output<typeof AuditQuery>

/** Newest first; `more` counts those older ones that the filters let through as well. */
export const AuditAnswer = z.object({ lines: z.array(AuditLine), more: z.number().int() })
export type AuditAnswer = z.infer<typeof AuditAnswer>
