import * as z from 'zod'

/**
 * Every error code of Claude Net. Codes are contract; the sentences beside them may improve any day.
 * `settled` says whether the answer decides the command: after a settled refusal the same request is refused again,
 * after an unsettled one nothing is known or the time was wrong, and the same request may be sent again.
 */
const table = {
  invalid: { status: 400, settled: true },
  unauthorized: { status: 401, settled: false },
  forbidden: { status: 403, settled: true },
  not_found: { status: 404, settled: true },
  conflict: { status: 409, settled: true },
  too_large: { status: 413, settled: true },
  rate_limited: { status: 429, settled: false },
  internal: { status: 500, settled: true },
  unavailable: { status: 503, settled: false },
} as const

export type ErrorCode = keyof typeof table

export const errorCodes = Object.keys(table) as [ErrorCode, ...ErrorCode[]]

/** The body of every answer that is not 2xx. `retryAfterMs` is in ms from now. */
export const ErrorBody = z.object({
  error: z.object({
    code: z.enum(errorCodes),
    message: z.string(),
    hint: z.string(),
    retryAfterMs: z.number().int().nonnegative().optional(),
  }),
})
export type ErrorBody = z.infer<typeof ErrorBody>

/** What went wrong (`message`, with names) and what to do next (`hint`). The same on both sides of the wire. */
export class ClaudeNetError extends Error {
  override name = 'ClaudeNetError'
  readonly code: ErrorCode
  readonly hint: string
  readonly retryAfterMs: number | undefined

  /** The hub's bundle has its own copy of this class: an error is one of ours whichever copy made it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'ClaudeNetError'
  }

  constructor(code: ErrorCode, message: string, hint: string, retryAfterMs?: number) {
    super(message)
    this.code = code
    this.hint = hint
    this.retryAfterMs = retryAfterMs
  }

  /** The HTTP status that carries this code. */
  get status(): number {
    return table[this.code].status
  }

  /** Whether the command was decided by this answer, so that sending it again is pointless. */
  get settled(): boolean {
    return table[this.code].settled
  }

  toBody(): ErrorBody {
    const { code, message, hint, retryAfterMs } = this
    return { error: { code, message, hint, ...(retryAfterMs !== undefined && { retryAfterMs }) } }
  }

  static fromBody({ error }: ErrorBody): ClaudeNetError {
    return new ClaudeNetError(error.code, error.message, error.hint, error.retryAfterMs)
  }
}
