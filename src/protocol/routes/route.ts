import * as z from 'zod'
import type { Role } from '../token.ts'

/** Who may call a route: a list of roles, or everyone, without a token. */
export type Audience = readonly Role[] | 'public'

/** One route: how it is called, by whom, and the schemas of what goes in and comes out. Both sides parse by them. */
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
  /** A public route that tells more to whoever shows a token. A token that is shown must be good. */
  takesToken?: true
  /** What a session of the console may do here, beside tokens of the same audience: nothing, or as the only one. */
  browser?: 'never' | 'only'
  params: Params
  query: Query
  /** Most bytes of a body of any media type, which its handler reads itself, from a buffer. Absent where bodies are JSON. */
  rawBytes?: number
  /** `undefined` in a request without a body. */
  body: Body
  /** The JSON of a 2xx answer, or the media type of one that is not JSON. */
  answer: Answer | string
  /** The statuses of a 2xx answer; 200 alone where this is left out. */
  statuses?: readonly number[]
}

const nothing = z.undefined()
const noFields = z.strictObject({})
type Nothing = typeof nothing
type NoFields = typeof noFields

/** Fills in what a route leaves out, keeping the exact schema types for both sides. */
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

/** What a handler gets: checked, with defaults. */
export type Parsed<R extends Route> = {
  params: z.output<R['params']>
  query: z.output<R['query']>
  body: z.output<R['body']>
}
/** What a caller gives: before defaults and coercion. */
export type RequestOf<R extends Route> = {
  params?: z.input<R['params']>
  query?: z.input<R['query']>
  body?: z.input<R['body']>
}
/** The body of a route's 2xx. */
export type AnswerOf<R> = R extends Route<z.ZodType, z.ZodType, z.ZodType, infer Answer> ? z.output<Answer> : never
