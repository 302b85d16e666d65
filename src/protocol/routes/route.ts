import * as z from 'zod'
import type { Role } from '../token.ts'

/** Callers allowed for a route: a list of roles, or everyone, without a token. */
export type Audience = readonly Role[] | 'public'

/** One route: its method and path, its audience, and the schemas of request and response, with which both sides parse. */
export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** A path parameter is written `:name`. */
  path: string
  summary: string
  audience: Audience
  /** Set for a public route that returns more with a token. A token that is sent must be valid. */
  takesToken?: true
  /** Access for sessions of the console: `never`, or `only` they. By default they have access like tokens of the same audience. */
  browser?: 'never' | 'only'
  params: Params
  query: Query
  /** Maximum length of a body of any media type, in bytes, which the handler parses from a buffer. Absent if bodies are JSON. */
  rawBytes?: number
  /** `undefined` in a request without a body. */
  body: Body
  /** The schema of a 2xx response, or the media type of one that is not JSON. */
  answer: Answer | string
  /** The statuses of a 2xx response; only 200 if absent. */
  statuses?: readonly number[]
}

const nothing = z.undefined()
const noFields = z.strictObject({})
type Nothing = typeof nothing
type NoFields = typeof noFields

/** Fills in a route's defaults, preserving the exact schema types for both sides. */
export function route<
  Answer extends z.ZodType,
  Params extends z.ZodType = NoFields,
  Query extends z.ZodType = NoFields,
  Body extends z.ZodType = Nothing,
>(
  from: Pick<Route, 'method' | 'path' | 'summary' | 'audience' | 'takesToken' | 'browser' | 'rawBytes' | 'statuses'> & {
    params?: Params
    query?: Query
    body?: Body
    answer: Answer | string
  },
): Route<Params, Query, Body, Answer> {
  return {
    ...from,
    params: from.params ?? (noFields as unknown as Params),
    query: from.query ?? (noFields as unknown as Query),
    body: from.body ?? (nothing as unknown as Body),
  }
}

export const members = ['machine', 'human'] as const
export const admins = ['admin'] as const
export const anyToken = ['machine', 'human', 'admin'] as const

/** A request as its handler receives it: validated, with defaults. */
export type Parsed<R extends Route> = {
  params: z.output<R['params']>
  query: z.output<R['query']>
  body: z.output<R['body']>
}

/** A request as its caller passes it: before defaults and coercion. */
export type RequestOf<R extends Route> = {
  params?: z.input<R['params']>
  query?: z.input<R['query']>
  body?: z.input<R['body']>
}

/** The body of a route's 2xx response. */
export type AnswerOf<R> = R extends Route<z.ZodType, z.ZodType, z.ZodType, infer Answer> ? z.output<Answer> : never
