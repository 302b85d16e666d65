import type { FastifyReply, FastifyRequest } from 'fastify'
import type { api, RouteName } from '../../protocol/api.ts'
import type { AnswerOf, Audience, Parsed, Route } from '../../protocol/routes/route.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'

/** What a handler works with: the hub, who asks, and the request as its route declares it. */
export type Call<R extends Route> = Parsed<R> & {
  hub: Hub
  /** A route with an audience of roles is never called without one. */
  identity: R['audience'] extends 'public' ? undefined : Identity
  request: FastifyRequest
  reply: FastifyReply
}

/** Answers the JSON body of a 2xx, or nothing when it has answered by `reply` itself. */
export type Handler<R extends Route> = (call: Call<R>) => Promise<AnswerOf<R> | undefined> | AnswerOf<R> | undefined

/** One handler for every route of the table. */
export type Handlers = { [Name in RouteName]: Handler<(typeof api)[Name]> }

export function isPublic(audience: Audience): audience is 'public' {
  return audience === 'public'
}
