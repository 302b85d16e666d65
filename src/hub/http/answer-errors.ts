import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Seen, Watch } from '../seeing/watch.ts'
import { damagedStore } from '../state/store/damage.ts'
import { isUnreadable } from '../state/store/sqlite-errors.ts'
import { maxRequestBytes, notJson } from './json-body.ts'
import { methodsOf } from './methods.ts'
import { type Network, outsider } from './network.ts'
import { isPipedToShell, sendRefusedScript } from './refused-script.ts'

/** Responds with an error in the usual form when a handler or an earlier step throws, and to requests without a route. Counts and logs each. */
export function answerErrors(server: FastifyInstance, watch: Watch): void {
  server.setErrorHandler((error, request, reply) => {
    const known = toClaudeNetError(error, request.routeOptions.bodyLimit)
    watch.refused(seen(request), known)
    if (known.code === 'internal')
      request.log.error({ err: error, method: request.method, route: routeOf(request) }, 'failed')
    else request.log.debug({ code: known.code, method: request.method, route: routeOf(request) }, known.code)
    if (reply.sent) return
    if (known.code === 'unauthorized') reply.header('www-authenticate', 'Bearer')
    if (known.retryAfterMs !== undefined) reply.header('retry-after', Math.ceil(known.retryAfterMs / 1000))
    answer(request, reply, known, known.status)
  })
  server.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(request.url)
    const error = new ClaudeNetError(
      methods.length > 0 ? 'invalid' : 'not_found',
      `There is no ${request.method} on this path.`,
      methods.length > 0 ? `It has: ${methods.join(', ')}.` : 'docs/protocol.md lists the routes.',
    )
    watch.refused(seen(request), error)
    if (methods.length > 0) reply.header('allow', methods.join(', '))
    answer(request, reply, error, methods.length > 0 ? 405 : error.status)
  })
}

/** Responds in the same form to a path that is malformed or too long, before any route is chosen. */
export function answerMalformedPath(
  request: FastifyRequest,
  reply: FastifyReply,
  watch: Watch,
  network: Network,
): void {
  const { raw, method, headers } = request
  const error = network.isAllowed(raw)
    ? new ClaudeNetError('invalid', 'This path is malformed or too long.', 'docs/protocol.md lists the routes.')
    : outsider()
  const address = network.clientOf(raw)
  const nothing = { route: undefined, identity: null, params: undefined, body: undefined }
  watch.refused({ ...nothing, method, address, authorization: headers.authorization }, error)
  answer(request, reply, error, error.status)
}

function answer(request: FastifyRequest, reply: FastifyReply, error: ClaudeNetError, status: number): void {
  if (isPipedToShell(request.raw)) sendRefusedScript(reply, error)
  else reply.code(status).send(error.toBody())
}

/** Returns the parts of a request that are counted and audited. */
export function seen(request: FastifyRequest): Seen {
  const { method, identity, clientAddress: address, params, body } = request
  return {
    // HEAD is counted and audited as GET.
    method: method === 'HEAD' ? 'GET' : method,
    route: routeOf(request),
    identity,
    address,
    authorization: request.headers.authorization,
    params,
    body,
  }
}

/** Returns the path pattern of the route, for the log: the actual path may contain a join code. */
function routeOf(request: FastifyRequest): string | undefined {
  return request.routeOptions.url
}

/** Turns any error into one for the client. An error not caused by the client becomes `internal`; its details are only logged. */
export function toClaudeNetError(error: unknown, maxBytes = maxRequestBytes): ClaudeNetError {
  if (error instanceof ClaudeNetError) return error
  if (isUnreadable(error)) return damagedStore((error as Error).message)
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message: string }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ClaudeNetError('too_large', `A request may have ${maxBytes} bytes at most here.`, 'Send less at a time.')
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return notJson('this Content-Type is not read')
  if (statusCode && statusCode >= 400 && statusCode < 500) {
    return new ClaudeNetError('invalid', message, 'Correct the request; nothing was changed.')
  }
  return new ClaudeNetError(
    'internal',
    'The hub failed on this request.',
    'Its log says why. Report it to the admin of the hub.',
  )
}
