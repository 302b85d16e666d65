import { routes } from 'virtual:routes'
import { signal } from '@preact/signals'
import type { api, RouteName } from '../protocol/api.ts'
import type { ErrorBody, ErrorCode } from '../protocol/errors.ts'
import type { AnswerOf, RequestOf } from '../protocol/routes/route.ts'
import { staleHeader } from '../protocol/seq-header.ts'

/**
 * A refusal by the hub, or no response (`unavailable`, `isOffline`). `message` states what happened, `hint` what to do next; both may
 * contain text of others, so show them with `<Text>` or `<Failed>`.
 */
export class HubError extends Error {
  override name = 'HubError'
  readonly code: ErrorCode
  readonly hint: string
  readonly retryAfterMs: number | undefined
  /** No response came: the hub or the network is down. */
  readonly isOffline: boolean

  constructor({ code, message, hint, retryAfterMs }: ErrorBody['error'], isOffline = false) {
    super(message)
    this.code = code
    this.hint = hint
    this.retryAfterMs = retryAfterMs
    this.isOffline = isOffline
  }
}

/** Whether the last request reached the hub. */
export const isOffline = signal(false)

/** Whether the last response was marked as stale: the hub is cut off from the other hubs and may lack what they have stored. */
export const isStale = signal(false)

/** Called when the hub reports that the session has ended or is unknown. Set by session.ts. */
export const onUnauthorized: { call: () => void } = { call: () => {} }

export const tabKey = 'claude-net-tab'

/**
 * The secret of this page, sent with every call beside the cookie. localStorage belongs to scheme, host and port, whereas a
 * cookie is sent to every port of a host.
 */
export const tabSecret = {
  get: (): string | null => localStorage.getItem(tabKey),
  set: (secret: string): void => localStorage.setItem(tabKey, secret),
  clear: (): void => localStorage.removeItem(tabKey),
}

type Options<Name extends RouteName> = RequestOf<(typeof api)[Name]> & { signal?: AbortSignal }

/**
 * Calls a route of the table by its name: `await call('sendMessage', { body: { to, body } })`. Returns the JSON of a 2xx, typed by the
 * route's schema (not parsed: the page and its hub are one version). Throws `HubError`, or the signal's reason when it aborts.
 */
export function call<Name extends RouteName>(
  name: Name,
  { params, query, body, signal }: Options<Name> = {},
): Promise<AnswerOf<(typeof api)[Name]>> {
  const [method, path] = routes[name]!
  const values = params as Record<string, string>
  return ask(
    method,
    path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(values[key]!)),
    {
      query: query as Query,
      body,
      signal,
    },
  )
}

/** Fields of a query string. A list becomes one field for each of its values. */
export type Query = Record<string, string | number | boolean | readonly string[] | undefined>

/** As `call`, by method and path, for a route that the table does not have yet. Fields of `query` that are undefined are left out. */
export async function ask<Answer>(
  method: string,
  path: string,
  { query = {}, body, signal }: { query?: Query; body?: unknown; signal?: AbortSignal } = {},
): Promise<Answer> {
  const response = await reach(method, withQuery(path, query), { body, signal })
  const answer = await response.json().catch(() => undefined)
  if (response.ok) return answer as Answer
  throw refusalOf(response, answer)
}

function withQuery(path: string, query: Query): string {
  const fields = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [value].flat().map(each => [key, String(each)]),
  )
  const search = new URLSearchParams(fields).toString()
  return search === '' ? path : `${path}?${search}`
}

/** Sends one request with the session's credentials. Throws `HubError` if no response comes. */
export async function reach(
  method: string,
  path: string,
  {
    body,
    headers = {},
    signal,
  }: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal | undefined },
): Promise<Response> {
  const tab = tabSecret.get()
  try {
    const response = await fetch(path, {
      method,
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      signal: signal ?? null,
      headers: {
        ...(tab !== null && { 'claude-net-tab': tab }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    isOffline.value = false
    isStale.value = response.headers.has(staleHeader)
    return response
  } catch (error) {
    if (signal?.aborted) throw error
    isOffline.value = true
    throw new HubError(
      {
        code: 'unavailable',
        message: 'The hub does not respond.',
        hint: 'This page retries automatically. If it keeps failing, check that the hub is running and that this device can reach it.',
      },
      true,
    )
  }
}

/** Returns the error in a response that is not 2xx. An error that the hub did not make (a proxy's page) is described by its status. */
export function refusalOf(response: Response, answer: unknown): HubError {
  if (response.status === 401) onUnauthorized.call()
  const error = (answer as ErrorBody | undefined)?.error
  if (typeof error?.message === 'string') return new HubError(error)
  return new HubError({
    code: response.status === 401 ? 'unauthorized' : 'unavailable',
    message: `A response with status ${response.status} did not come from the hub.`,
    hint: 'Check the proxy in front of the hub.',
  })
}
