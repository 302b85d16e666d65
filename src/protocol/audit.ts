import * as z from 'zod'
import { errorCodes } from './errors.ts'
import { maxPage, Timestamp } from './messages.ts'

/**
 * One line of the audit: who (`actor`, by the public `tokenId` of a token, from `address`) did what (`action`) to whom (`target`),
 * with which `result`. Unknown values are null: a failed login proves no actor.
 */
export const AuditLine = z.object({
  id: z.number().int(),
  at: Timestamp,
  actor: z.string().nullable(),
  tokenId: z.string().nullable(),
  address: z.string().nullable(),
  action: z.string(),
  target: z.string().nullable(),
  /** Names given in the change: `to=omega`, `owner=sean`. */
  detail: z.string().nullable(),
  result: z.enum(['ok', ...errorCodes]),
  /** Number of refusals that this line covers: 1, or those of a flood, which are not recorded individually. */
  count: z.number().int(),
})
export type AuditLine = z.infer<typeof AuditLine>

/** Exact filters. For the next page, pass the id of the last line as `before`. */
export const AuditQuery = z.strictObject({
  actor: z.string().trim().min(1).max(100).optional(),
  action: z.string().trim().min(1).max(100).optional(),
  target: z.string().trim().min(1).max(100).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  before: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(maxPage).default(maxPage),
})
export type AuditQuery = z.output<typeof AuditQuery>

/** Newest first; `more` counts the older lines that match the filters. */
export const AuditAnswer = z.object({ lines: z.array(AuditLine), more: z.number().int() })
export type AuditAnswer = z.infer<typeof AuditAnswer>
