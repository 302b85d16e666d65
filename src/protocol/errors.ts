/**
 * Every error code of Claude Net. Codes are contract; the sentences beside them may improve any day.
 * `settled` says that the code by itself decides the request: the same one is refused again. Of the others a refusal may say
 * so for itself: 'forbidden' from the door is about the address or the token and passes, from a recipient it is final.
 */
const table = {
  invalid: { status: 400, settled: true },
  unauthorized: { status: 401, settled: false },
  forbidden: { status: 403, settled: false },
  not_found: { status: 404, settled: false },
  conflict: { status: 409, settled: true },
  too_large: { status: 413, settled: true },
  rate_limited: { status: 429, settled: false },
  internal: { status: 500, settled: false },
  unavailable: { status: 503, settled: false },
} as const

export type ErrorCode = keyof typeof table

export const errorCodes = Object.keys(table) as [ErrorCode, ...ErrorCode[]]

/** The body of every answer that is not 2xx; error-body.ts has its schema. `retryAfterMs` is in ms from now; `settled` as in the table above. */
export interface ErrorBody {
  error: {
    code: ErrorCode
    message: string
    hint: string
    retryAfterMs?: number | undefined
    settled?: true | undefined
  }
}

/** What went wrong (`message`, with names) and what to do next (`hint`). The same on both sides of the wire. */
export class ClaudeNetError extends Error {
  override name = 'ClaudeNetError'
  readonly code: ErrorCode
  readonly hint: string
  readonly retryAfterMs: number | undefined
  readonly #settled: boolean

  /** The hub's bundle has its own copy of this class: an error is one of ours whichever copy made it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === 'ClaudeNetError'
  }

  constructor(code: ErrorCode, message: string, hint: string, retryAfterMs?: number, settled = false) {
    super(message)
    this.code = code
    this.hint = hint
    this.retryAfterMs = retryAfterMs
    this.#settled = settled
  }

  /** The HTTP status that carries this code. */
  get status(): number {
    return table[this.code].status
  }

  /** Whether the command was decided by this answer, so that sending it again is pointless. */
  get settled(): boolean {
    return this.#settled || table[this.code].settled
  }

  toBody(): ErrorBody {
    const { code, message, hint, retryAfterMs } = this
    const settled = this.#settled && { settled: true as const }
    return { error: { code, message, hint, ...(retryAfterMs !== undefined && { retryAfterMs }), ...settled } }
  }

  static fromBody({ error }: ErrorBody): ClaudeNetError {
    return new ClaudeNetError(error.code, error.message, error.hint, error.retryAfterMs, error.settled)
  }
}
