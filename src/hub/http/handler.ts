import type { FastifyReply, FastifyRequest } from 'fastify'
import type { api, RouteName } from '../../protocol/api.ts'
import type { AnswerOf, Audience, Parsed, Route } from '../../protocol/routes/route.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'

/** Arguments of a handler: the hub, the caller, and the request as its route declares it. */
export type Call<R extends Route> = Parsed<R> & {
  hub: Hub
  /** Always defined for a route whose audience is a list of roles. */
  identity: R['audience'] extends 'public' ? undefined : Identity
  request: FastifyRequest
  reply: FastifyReply
}

/** Returns the JSON body of a 2xx, or undefined if it has responded through `reply` itself. */
export type Handler<R extends Route> = (call: Call<R>) => Promise<AnswerOf<R> | undefined> | AnswerOf<R> | undefined

/** One handler for every route in `api`. */
export type Handlers = { [Name in RouteName]: Handler<(typeof api)[Name]> }

export function isPublic(audience: Audience): audience is 'public' {
  return audience === 'public'
}
