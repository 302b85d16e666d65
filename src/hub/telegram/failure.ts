import { GrammyError, HttpError } from 'grammy/web'

/**
 * Reasons for which a call of the Bot API failed, and what the caller does.
 *
 *   wait          rate limit (429): retry after `retryAfterMs`, the whole chat
 *   unreachable   no response, or 5xx: retry later; with `mayHaveArrived` the call may have taken effect
 *   unauthorized  the token is wrong or revoked (401; 404 for a malformed one)
 *   conflict      another program polls this bot's updates, or a webhook is set (409)
 *   moved         the group became a supergroup, `movedTo`
 *   closed        the chat does not exist, or the bot was removed or blocked (403)
 *   topic         the topic of the group is closed or deleted
 *   malformed     Telegram could not parse the formatting
 *   refused       anything else: a retry would fail the same way
 */
export type FailureKind =
  | 'wait'
  | 'unreachable'
  | 'unauthorized'
  | 'conflict'
  | 'moved'
  | 'closed'
  | 'topic'
  | 'malformed'
  | 'refused'

/** A failed call of the Bot API. Its message never contains the token; the underlying errors do, in URLs. */
export class TelegramFailure extends Error {
  override name = 'TelegramFailure'
  readonly kind: FailureKind
  readonly retryAfterMs: number
  readonly movedTo: number | undefined
  readonly mayHaveArrived: boolean

  constructor(
    kind: FailureKind,
    message: string,
    more: { retryAfterMs?: number; movedTo?: number; mayHaveArrived?: boolean } = {},
  ) {
    super(message)
    this.kind = kind
    this.retryAfterMs = more.retryAfterMs ?? 0
    this.movedTo = more.movedTo
    this.mayHaveArrived = more.mayHaveArrived ?? false
  }
}

/** Error codes of connections that were never made. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/**
 * Converts an error of a call of `method`. Checks Telegram's parameters first, then its code, then its description, from the most to the
 * least stable.
 */
export function failureOf(error: unknown, method: string): TelegramFailure {
  if (error instanceof TelegramFailure) return error
  if (error instanceof GrammyError) return answered(error, method)
  // The errors of `fetch` have the reason in their cause.
  const thrown = (error instanceof HttpError ? error.error : error) as { cause?: { code?: unknown } } | undefined
  const code = thrown?.cause?.code
  const why = typeof code === 'string' ? code : 'no answer'
  return new TelegramFailure('unreachable', `${method}: Telegram cannot be reached (${why})`, {
    mayHaveArrived: typeof code !== 'string' || !neverSent.has(code),
  })
}

/** Descriptions of a chat that the bot may not write to. The same message may be accepted once that is fixed. */
const closed =
  /chat not found|user not found|CHAT_WRITE_FORBIDDEN|CHAT_ADMIN_REQUIRED|not enough rights|no rights to send|need administrator rights|bot was (blocked|kicked)|CHAT_RESTRICTED/i

function answered({ error_code: code, description, parameters }: GrammyError, method: string): TelegramFailure {
  const what = `${method}: ${code} ${description}`
  if (parameters.migrate_to_chat_id !== undefined) {
    return new TelegramFailure('moved', what, { movedTo: parameters.migrate_to_chat_id })
  }
  if (code === 429) return new TelegramFailure('wait', what, { retryAfterMs: (parameters.retry_after ?? 1) * 1000 })
  if (code >= 500) return new TelegramFailure('unreachable', what, { mayHaveArrived: true })
  if (code === 401 || code === 404) return new TelegramFailure('unauthorized', what)
  if (code === 409) return new TelegramFailure('conflict', what)
  if (code === 403 || closed.test(description)) return new TelegramFailure('closed', what)
  if (/TOPIC_(CLOSED|DELETED|ID_INVALID)|message thread not found/i.test(description)) {
    return new TelegramFailure('topic', what)
  }
  return new TelegramFailure(/can't parse entities/i.test(description) ? 'malformed' : 'refused', what)
}
