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
import { Moved } from './transport/line.ts'
import type { Transport } from './transport/transport.ts'

/** How long an answer may take, in ms, before it counts as none. */
const answerTimeoutMs = 10_000

/** How long a stream may be silent, in ms, before it counts as dead: two of the hub's comments were missed. */
const streamSilenceMs = 35_000

/** Most bytes of one answer: far more than the hub ever sends, far less than would hurt. */
const maxAnswerBytes = 8 * 1024 * 1024

export interface HubClientOptions {
  transport: Transport
  /** Absent only to join. A function is asked before each request: for a token that may be replaced meanwhile. */
  token?: string | (() => string)
  /** Called with the token of a request when the hub says with the answer that it is to be renewed. */
  onRenewalDue?: (token: string) => void
  /** Called with a token that the hub refused. Answers whether there is another one now, to ask with once more. */
  onRefused?: (token: string) => Promise<boolean>
  timeoutMs?: number
}

/** Speaks with a hub as its table of routes says: requests and answers are checked against the same schemas. */
export class HubClient {
  readonly transport: Transport
  readonly #token: HubClientOptions['token']
  readonly #timeoutMs: number
  readonly #options: HubClientOptions
  #clockOffsetMs = 0
  readonly #plain = new PlainSpell()
  #interruptions = 0
  #staleS: number | undefined

  constructor(options: HubClientOptions) {
    const { transport, token, timeoutMs = answerTimeoutMs } = options
    this.#options = options
    this.transport = transport
    this.#token = token
    this.#timeoutMs = timeoutMs
  }

  /** The hub's clock in ms since 1970, as far as its last answer told (whole seconds): ages are shown by it, not by ours. */
  now(): number {
    return Date.now() + this.#clockOffsetMs
  }

  /** How often a stream of events has ended: each time another hub may have come, of another version. */
  get interruptions(): number {
    return this.#interruptions
  }

  /** How far this machine's clock is from the hub's, in ms; positive when the hub's is ahead. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs
  }

  /** That the last answer may be out of date, in a sentence: the hub that gave it is cut off from its log, and no other answered. */
  get staleness(): string | undefined {
    if (this.#staleS === undefined) return undefined
    return `The hub at ${this.transport.label} has been cut off from the other hubs for ${this.#staleS} s: what was sent since then may be missing here.`
  }

  /**
   * Calls one route. Throws what the hub refused as it said it; `unavailable` when no answer came (the hub may have done what
   * was asked, or what answers is no hub).
   */
  async call<R extends Route>(
    route: R,
    request: RequestOf<R> & { headers?: Record<string, string> } = {},
  ): Promise<AnswerOf<R>> {
    const plain = withoutProject(request)
    if (!plain) return this.#callAs(route, request)
    if (this.#plain.isOn(this.interruptions)) return this.#callAs(route, plain)
    try {
      return await this.#callAs(route, request)
    } catch (error) {
      if (!(error instanceof ClaudeNetError) || error.code !== 'invalid') throw error
      const answer = await this.#callAs(route, plain)
      this.#plain.begin(this.interruptions)
      return answer
    }
  }

  /** Calls a route as this client, once more where its token was replaced meanwhile. */
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
   * Events from `cursor` on (all that is unread first, without one), until the hub ends the stream or `signal` aborts. `opened`
   * is called when the hub has accepted it, `ready` once all that waited was answered, with the cursor to go on from. Throws
   * `unavailable` when the line broke.
   */
  async *events(options: {
    session?: string
    cursor?: string
    withDelivery?: boolean
    /** Only mail that it reads. */
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
        // An event of a newer hub, or of another shape, is none of this client's business.
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
    // A header of whole seconds is up to one second old: below two the clocks agree.
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

/** What the hub refused, as it said it. Anything else that answers is not a hub, or something stands in between. */
function refusal(response: IncomingMessage, body: string, label: string): ClaudeNetError {
  const parsed = ErrorBody.safeParse(parseJson(body))
  if (parsed.success) return ClaudeNetError.fromBody(parsed.data)
  // A proxy in front of a hub that is down answers 502, 503 or 504 in its own words.
  return (response.statusCode ?? 0) >= 502 ? unanswered(new Error(`HTTP ${response.statusCode}`), label) : noHub(label)
}

function noHub(label: string): ClaudeNetError {
  const error = new ClaudeNetError(
    'unavailable',
    `What answers at ${label} is not a Claude Net hub.`,
    'Check the address in config.json.',
  )
  // Something stood in between: a hub behind it may have done what was asked.
  return Object.assign(error, { cause: new Error('no answer of a hub') })
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
