import type { IncomingMessage } from 'node:http'
import { createParser } from 'eventsource-parser'
import type * as z from 'zod'
import { ErrorBody } from '../protocol/error-body.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { eventSchemas, PresencesEvent, type StreamEvent } from '../protocol/events.ts'
import { hostHeader } from '../protocol/host-header.ts'
import { kindsHeader } from '../protocol/kinds.ts'
import type { AnswerOf, RequestOf, Route } from '../protocol/routes/route.ts'
import { sessionsRoutes } from '../protocol/routes/sessions.ts'
import { staleHeader } from '../protocol/seq-header.ts'
import { renewHeader } from '../protocol/token.ts'
import { hostLabel } from './host.ts'
import { PlainSpell } from './plain-spell.ts'
import type { Scope } from './project/scope.ts'
import { withoutProject } from './project/without-project.ts'
import { anySignal } from './transport/any-signal.ts'
import { unanswered } from './transport/direct.ts'
import { Moved } from './transport/hub-connection.ts'
import type { Transport } from './transport/transport.ts'

/** Time after which a request without a response fails, in ms. */
const answerTimeoutMs = 10_000

/** Silence after which a stream counts as broken, in ms: two of the hub's comments were missed. */
const streamSilenceMs = 35_000

/** Maximum size of one response, in bytes: far more than the hub ever sends, and harmless. */
const maxAnswerBytes = 8 * 1024 * 1024

export interface HubClientOptions {
  transport: Transport
  /** Absent only to join. A function is called before each request, for a token that may be replaced meanwhile. */
  token?: string | (() => string)
  /** Called with the token of a request when the response says that it is due for renewal. */
  onRenewalDue?: (token: string) => void
  /** Called with a token that the hub refused. Returns whether there is another one now, to retry with. */
  onRefused?: (token: string) => Promise<boolean>
  timeoutMs?: number
}

/** Calls a hub's routes. Requests are typed, and responses checked, by the schemas that the hub uses too. */
export class HubClient {
  readonly transport: Transport
  readonly #token: HubClientOptions['token']
  readonly #timeoutMs: number
  readonly #options: HubClientOptions
  #clockOffsetMs = 0
  readonly #reduced = new PlainSpell()
  #interruptions = 0
  #staleS: number | undefined

  constructor(options: HubClientOptions) {
    const { transport, token, timeoutMs = answerTimeoutMs } = options
    this.#options = options
    this.transport = transport
    this.#token = token
    this.#timeoutMs = timeoutMs
  }

  /** The hub's clock in ms since 1970, by its last response (whole seconds). Ages are shown by it, not by the local clock. */
  now(): number {
    return Date.now() + this.#clockOffsetMs
  }

  /** Number of event streams that have ended: after each, the hub may be another one, of another version. */
  get interruptions(): number {
    return this.#interruptions
  }

  /** Difference between the hub's clock and this machine's, in ms; positive if the hub's is ahead. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs
  }

  /** A sentence that the last response may be out of date, if its hub is cut off from the log and no other hub responded. */
  get staleness(): string | undefined {
    if (this.#staleS === undefined) return undefined
    return `The hub at ${this.transport.label} has been cut off from the other hubs for ${this.#staleS} s: what was sent since then may be missing here.`
  }

  /**
   * Calls one route. Throws the hub's refusal as it is; `unavailable` if no response came (the hub may have executed the
   * request), or one that is not a hub's.
   */
  async call<R extends Route>(
    route: R,
    request: RequestOf<R> & { headers?: Record<string, string> } = {},
  ): Promise<AnswerOf<R>> {
    const plain = withoutProject(request)
    if (!plain) return this.#callAs(route, request)
    if (this.#reduced.isOn(this.interruptions)) return this.#callAs(route, plain)
    try {
      return await this.#callAs(route, request)
    } catch (error) {
      if (!(error instanceof ClaudeNetError) || error.code !== 'invalid') throw error
      const answer = await this.#callAs(route, plain)
      this.#reduced.begin(this.interruptions)
      return answer
    }
  }

  /** Calls a route with the current token; retries once if the token was replaced meanwhile. */
  async #callAs<R extends Route>(
    route: R,
    request: RequestOf<R> & { headers?: Record<string, string> },
  ): Promise<AnswerOf<R>> {
    const token = this.#tokenNow()
    try {
      return await this.#callOnce(route, request, token)
    } catch (error) {
      const isRefused = error instanceof ClaudeNetError && error.code === 'unauthorized'
      if (!isRefused || token === undefined || !(await this.#options.onRefused?.(token))) throw error
    }
    return this.#callOnce(route, request, this.#tokenNow())
  }

  async #callOnce<R extends Route>(
    route: R,
    request: RequestOf<R> & { headers?: Record<string, string> },
    token: string | undefined,
  ): Promise<AnswerOf<R>> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    const response = await this.transport.request({
      method: route.method,
      path: pathOf(route, request),
      headers: headersOf(token, {
        ...request.headers,
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
      }),
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
      signal,
    })
    this.#compareClocks(response.headers.date)
    this.#staleS = staleIn(response)
    if (token !== undefined && response.headers[renewHeader] !== undefined) this.#options.onRenewalDue?.(token)
    const body = await readText(response, this.transport.label)
    if (!isSuccess(response)) throw refusal(response, body, this.transport.label)
    const answer = (route.answer as z.ZodType).safeParse(parseJson(body))
    if (!answer.success) throw noHub(this.transport.label)
    return answer.data as AnswerOf<R>
  }

  /**
   * Yields events from `cursor` on (without one, the unread messages first) until the hub ends the stream or `signal` aborts.
   * `opened` is called when the hub has accepted the stream; `ready` after the backlog, with the cursor to continue from. Throws
   * `unavailable` if the connection breaks.
   */
  async *events(options: {
    session?: string
    cursor?: string
    withDelivery?: boolean
    /** Limits the events to messages of this scope. */
    project?: Scope
    signal: AbortSignal
    opened?: () => void
    ready?: (cursor: string) => void
  }): AsyncGenerator<StreamEvent & { cursor?: string }> {
    const { session, cursor, withDelivery, project, signal, opened, ready } = options
    const noAnswer = new AbortController()
    const timer = setTimeout(() => noAnswer.abort(new DOMException('no answer', 'TimeoutError')), this.#timeoutMs)
    const response = await this.transport
      .request({
        method: 'GET',
        path: pathOf(sessionsRoutes.events, {
          query: { session, project, ...(withDelivery && { with: 'delivery' as const }) },
        }),
        headers: headersOf(this.#tokenNow(), cursor === undefined ? {} : { 'last-event-id': cursor }),
        signal: anySignal([signal, noAnswer.signal]),
      })
      .finally(() => clearTimeout(timer))
    if (!isSuccess(response))
      throw refusal(response, await readText(response, this.transport.label), this.transport.label)
    opened?.()
    response.setEncoding('utf8')
    response.socket.setTimeout(streamSilenceMs, () => response.destroy(new Error('silent')))
    const received: ((StreamEvent & { cursor?: string }) | { event: 'ready'; cursor: string })[] = []
    const parser = createParser({
      maxBufferSize: maxAnswerBytes,
      onEvent: ({ event, data, id }) => {
        if (event === 'ready' && id) received.push({ event, cursor: id })
        if (event === 'presences') {
          const together = PresencesEvent.safeParse(parseJson(data))
          for (const member of together.data?.members ?? []) received.push({ event: 'presence', data: member })
        }
        const schema = eventSchemas[event as keyof typeof eventSchemas]
        const parsed = schema?.safeParse(parseJson(data))
        // Unknown and malformed events, such as those of a newer hub, are ignored.
        if (parsed?.success) received.push({ event, data: parsed.data, ...(id && { cursor: id }) } as StreamEvent)
      },
    })
    try {
      for await (const chunk of response as AsyncIterable<string>) {
        parser.feed(chunk)
        for (const event of received.splice(0)) {
          if (event.event === 'ready') ready?.(event.cursor)
          else yield event
        }
      }
    } catch (error) {
      if (signal.aborted || error instanceof Moved) return
      throw unanswered(error as Error, this.transport.label)
    } finally {
      this.#interruptions++
      response.destroy()
    }
  }

  close(): void {
    this.transport.close()
  }

  #compareClocks(date: string | undefined): void {
    const hub = Date.parse(date ?? '')
    if (Number.isNaN(hub)) return
    // The header has whole seconds, so it is up to one second old: differences below two are ignored.
    const offset = hub + 500 - Date.now()
    this.#clockOffsetMs = Math.abs(offset) < 2000 ? 0 : offset
  }

  #tokenNow(): string | undefined {
    return typeof this.#token === 'function' ? this.#token() : this.#token
  }
}

function headersOf(token: string | undefined, more: Record<string, string>): Record<string, string> {
  const all = { [kindsHeader]: 'all', ...more }
  return token === undefined ? all : { authorization: `Bearer ${token}`, [hostHeader]: hostLabel(), ...all }
}

function pathOf(route: Route, { params = {}, query = {} }: RequestOf<Route>): string {
  const path = route.path.replace(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(String((params as Record<string, unknown>)[name])),
  )
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query as object)) if (value !== undefined) search.set(key, String(value))
  return search.size > 0 ? `${path}?${search}` : path
}

function staleIn({ headers }: IncomingMessage): number | undefined {
  const seconds = headers[staleHeader]
  return typeof seconds === 'string' && /^\d{1,9}$/.test(seconds) ? Number(seconds) : undefined
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300
}

async function readText(response: IncomingMessage, label: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxAnswerBytes) throw new Error('the answer is too large')
      chunks.push(chunk)
    }
  } catch (error) {
    throw unanswered(error as Error, label)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Returns the hub's refusal as it is, or an error for a response of something that is not a hub. */
function refusal(response: IncomingMessage, body: string, label: string): ClaudeNetError {
  const parsed = ErrorBody.safeParse(parseJson(body))
  if (parsed.success) return ClaudeNetError.fromBody(parsed.data)
  // A proxy in front of a hub that is down responds with 502, 503 or 504 and a body of its own.
  return (response.statusCode ?? 0) >= 502 ? unanswered(new Error(`HTTP ${response.statusCode}`), label) : noHub(label)
}

function noHub(label: string): ClaudeNetError {
  const error = new ClaudeNetError(
    'unavailable',
    `The server at ${label} is not a Claude Net hub.`,
    'Check the address in config.json.',
  )
  // With a cause, since a hub behind a proxy may have executed the request.
  return Object.assign(error, { cause: new Error('no answer of a hub') })
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
