import { GrammyError, HttpError } from 'grammy/web'

/**
 * Why Telegram did not do what it was asked, and what follows from that.
 *
 *   wait          too much at once (429): again after `retryAfterMs`, the whole chat
 *   unreachable   no answer, or 5xx: again later; with `mayHaveArrived` it may have been done
 *   unauthorized  the token is wrong or was revoked (401; 404 for one that is none)
 *   conflict      somebody else asks for this bot's updates, or a webhook is set (409)
 *   moved         the group became a supergroup, `movedTo`
 *   closed        the chat is not there, or the bot was thrown out or blocked (403)
 *   topic         the topic of the group that it was for is closed or gone
 *   malformed     the formatting was not understood
 *   refused       anything else: the same again will be refused again
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

/** A failed call of the Bot API. Its text never holds the token; the errors it comes from do, in addresses. */
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

/** Errors of a connection that was never made. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Any error of a call of `method`, as a failure. By parameters first, then by code, then by description: that is how they are kept stable. */
export function failureOf(error: unknown, method: string): TelegramFailure {
  if (error instanceof TelegramFailure) return error
  if (error instanceof GrammyError) return answered(error, method)
  // What fetch throws says in its cause what happened.
  const thrown = (error instanceof HttpError ? error.error : error) as { cause?: { code?: unknown } } | undefined
  const code = thrown?.cause?.code
  const why = typeof code === 'string' ? code : 'no answer'
  return new TelegramFailure('unreachable', `${method}: Telegram cannot be reached (${why})`, {
    mayHaveArrived: typeof code !== 'string' || !neverSent.has(code),
  })
}

/** A chat that takes nothing from the bot: the same may be taken once that is mended. */
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
