/**
 * Every error code of Claude Net. Codes are contract; the sentences that come with them may change at any time.
 * `settled` means that the code alone decides the request: a retry is refused again. With any other code a single refusal may be
 * settled: 'forbidden' for an address or a token is temporary, from a recipient it is final.
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

/** The body of every response that is not 2xx; its schema is in error-body.ts. `retryAfterMs` counts from now; `settled` as in the table above. */
export interface ErrorBody {
  error: {
    code: ErrorCode
    message: string
    hint: string
    retryAfterMs?: number | undefined
    settled?: true | undefined
  }
}

/** An error: the problem (`message`, with names) and the next step (`hint`). Hub and client use the same class. */
export class ClaudeNetError extends Error {
  override name = 'ClaudeNetError'
  readonly code: ErrorCode
  readonly hint: string
  readonly retryAfterMs: number | undefined
  readonly #settled: boolean

  /** Compares by name: the hub's bundle has its own copy of this class, and errors of both copies must match. */
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

  /** The HTTP status of this code. */
  get status(): number {
    return table[this.code].status
  }

  /** Whether this response is final, so that a retry is pointless. */
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
