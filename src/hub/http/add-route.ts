import type { FastifyInstance } from 'fastify'
import { api } from '../../protocol/api.ts'
import type { Route } from '../../protocol/routes/route.ts'
import type { Identity } from '../auth/identify.ts'
import type { Watch } from '../seeing/watch.ts'
import { seen } from './answer-errors.ts'
import { type Authorizing, authorize, catchUpFor, isUnknown } from './authorize.ts'
import { type Handler, isPublic } from './handler.ts'
import { hasHead } from './methods.ts'
import { takeMinSeq } from './min-seq.ts'
import type { OpenBodies } from './open-bodies.ts'
import { parse } from './parse.ts'
import { setRenewHeader } from './renew-token.ts'
import type { UnreadAnswers } from './unread-answers.ts'
import type { WebhookCalls } from './webhook-calls.ts'

/** Parts of the door that each route needs. */
export interface RouteParts extends Authorizing {
  watch: Watch
  unread: UnreadAnswers
  bodies: OpenBodies
  webhooks: WebhookCalls
  /** Whether successful requests are audited. */
  isAudited: boolean
}

/** Adds a route of the API with its handler: a request is authorized before its body is read, and parsed before it is handled. */
export function addRoute(
  server: FastifyInstance,
  { watch, unread, bodies, webhooks, isAudited, ...keeping }: RouteParts,
  route: Route,
  handle: Handler<Route>,
): void {
  const { hub, connections } = keeping
  const answered = watch.metrics.answersOf(route.method, route.path)
  server.route({
    method: route.method,
    url: route.path,
    exposeHeadRoute: hasHead(route),
    ...(route.rawBytes !== undefined && { bodyLimit: route.rawBytes }),
    // Runs before the body is read, so that no body of a stranger is parsed.
    onRequest: (request, reply, next) => {
      const enter = () => {
        const showsToken = route.takesToken && request.headers.authorization !== undefined
        if (showsToken || !isPublic(route.audience))
          setRenewHeader(authorize(keeping, route, request, reply), hub, reply.raw)
        if (route === api.receiveWebhook) webhooks.admit(request)
        const client = connections.clientOf(request.raw.socket)
        if (route !== api.health) unread.check(client)
        bodies.begin(request.raw, client, route.rawBytes)
      }
      const waits = takeMinSeq(hub, request) ?? (hub.level && catchUpFor(keeping, route, request))
      if (!waits) {
        enter()
        next()
        return
      }
      const entered = waits.then(isThere => {
        // A client treats `unauthorized` as final, so only a hub that is up to date refuses a secret as wrong.
        if (!isThere && isUnknown(keeping, request)) throw hub.level!.behind()
        enter()
        if (!isThere) throw hub.level!.behind()
      })
      entered.then(() => next(), next)
    },
    handler: async (request, reply) => {
      const parsed = {
        params: parse(route.params, request.params, 'path'),
        query: parse(route.query, request.query, 'query'),
        body: parse(route.body, request.body ?? undefined, 'body'),
      }
      const answer = await handle({ ...parsed, hub, identity: request.identity as Identity, request, reply })
      answered(reply.statusCode)
      if (isAudited) watch.done(seen(request))
      if (!reply.sent && answer !== undefined) reply.send(answer)
      return reply
    },
  })
}
