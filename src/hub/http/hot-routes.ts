import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { api, type RouteName } from '../../protocol/api.ts'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import { hostHeader } from '../../protocol/host-header.ts'
import { isUsualSend } from '../../protocol/messages.ts'
import type { Route } from '../../protocol/routes/route.ts'
import type { Identities, Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import type { Watch } from '../seeing/watch.ts'
import { toClaudeNetError } from './answer-errors.ts'
import { isFromBrowser } from './browser.ts'
import type { Connections } from './connections.ts'
import { type Handler, type Handlers, isPublic } from './handler.ts'
import { maxRequestBytes, readJson } from './json-body.ts'
import type { Limits } from './limits.ts'
import { headersOfLevel } from './min-seq.ts'
import { checkHeaders, type Network } from './network.ts'
import type { OpenBodies } from './open-bodies.ts'
import { parse } from './parse.ts'
import type { PlainRequests } from './plain-requests.ts'
import { setRenewHeader } from './renew-token.ts'
import type { TokenHosts } from './token-hosts.ts'
import { measured, type UnreadAnswers } from './unread-answers.ts'

/** The most frequent routes. Their paths have no parameters, and none of them is audited. */
const hot = ['sendMessage', 'readInbox', 'markFetched', 'ackInbox', 'heartbeat'] as const satisfies RouteName[]

export interface HotParts {
  hub: Hub
  handlers: Handlers
  identities: Identities
  limits: Limits
  tokenHosts: TokenHosts
  plain: PlainRequests
  network: Network
  connections: Connections
  unread: UnreadAnswers
  bodies: OpenBodies
  watch: Watch
  log: FastifyBaseLogger
  hosts: () => readonly string[]
  closing: AbortSignal
}

interface HotRoute {
  route: Route
  handle: Handler<Route>
  answered: (status: number) => void
  query: unknown
}

/**
 * Serves the hot routes without the framework, through the same steps and with the same functions. A request that is unusual in any
 * way, or that a step before its body refuses, is passed to the framework untouched, so that these refusals are worded in one place.
 */
export function answerHotRoutes(server: FastifyInstance, parts: HotParts): void {
  const http = server.server
  const [framework] = http.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  const routes = new Map(hot.map(name => [`${api[name].method} ${api[name].path}`, hotRoute(name, parts)]))
  http.removeAllListeners('request')
  http.on('request', (request, response) => {
    const route = routes.get(`${request.method} ${request.url}`)
    const identity = route && admit(route, request, response, parts)
    if (!route || !identity) framework!.call(http, request, response)
    else if (route.route.method === 'GET') void answer(new HotCall(route, identity, request, response, parts))
    else readBody(new HotCall(route, identity, request, response, parts))
  })
}

function hotRoute(name: (typeof hot)[number], { handlers, watch }: HotParts): HotRoute {
  const route: Route = api[name]
  return {
    route,
    handle: handlers[name] as Handler<Route>,
    answered: watch.metrics.answersOf(route.method, route.path),
    query: parse(route.query, {}, 'query'),
  }
}

/** Runs every step before the body. Returns undefined to pass the request to the framework, which runs the same steps and refuses it. */
function admit(
  { route }: HotRoute,
  request: IncomingMessage,
  response: ServerResponse,
  { hub, identities, limits, tokenHosts, plain, network, connections, unread, bodies, hosts, closing }: HotParts,
): Identity | undefined {
  const { headers, socket } = request
  if (closing.aborted || socket.destroyed || headers.host === undefined || headers.expect !== undefined)
    return undefined
  if (isFromBrowser(request) || hub.level?.isCutOff) return undefined
  if (route.method === 'GET' ? hasBody(request) : !hasPlainBody(request)) return undefined
  if (!network.isAllowed(request) || !plain.isAllowed(request)) return undefined
  try {
    checkHeaders(request, hosts(), network)
    const identity = identities.of(headers.authorization)
    if (isPublic(route.audience) || !route.audience.includes(identity.role)) return undefined
    if (identity.boundTo && !identity.boundTo.has(network.clientOf(request))) return undefined
    response.on('close', connections.asked(socket))
    connections.proved(socket, identity.tokenId)
    const client = connections.clientOf(socket)
    unread.check(client)
    // Among the last checks, so that an accepted request is counted once; one that `bodies` refuses is counted twice.
    limits.countRequest(identity, route === api.sendMessage)
    bodies.begin(request, client)
    plain.saw(identity, request)
    tokenHosts.saw(identity, network.clientOf(request), headers[hostHeader] as string | undefined)
    setRenewHeader(identity, hub, response)
    return identity
  } catch {
    return undefined
  }
}

/** Reports whether a request has a JSON body of known and allowed length. */
function hasPlainBody({ headers }: IncomingMessage): boolean {
  const length = Number(headers['content-length'])
  const isJson = headers['content-type'] === 'application/json' && headers['content-encoding'] === undefined
  return isJson && length > 0 && length <= maxRequestBytes
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}

/** One request that is served without the framework. */
class HotCall {
  body: unknown
  readonly hot: HotRoute
  readonly identity: Identity
  readonly request: IncomingMessage
  readonly #response: ServerResponse
  readonly parts: HotParts

  constructor(hot: HotRoute, identity: Identity, request: IncomingMessage, response: ServerResponse, parts: HotParts) {
    this.hot = hot
    this.identity = identity
    this.request = request
    this.#response = response
    this.parts = parts
  }

  send(status: number, value: unknown, retryAfterMs?: number): void {
    const { hub, connections, unread } = this.parts
    const { socket } = this.request
    const response = this.#response
    const json = JSON.stringify(value)
    const [bytes, sent] = measured(json) as [number, string | Buffer]
    if (retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1000))
    if (hub.level) for (const [name, value] of headersOfLevel(hub)) response.setHeader(name, value)
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(sent),
    })
    response.end(sent)
    // Usually the kernel has taken all of it by now.
    if (response.writableLength === 0) return
    unread.wrote(socket, connections.clientOf(socket), bytes)
    response.on('close', () => unread.read(socket))
  }

  fail(thrown: unknown): void {
    const { watch, network, log } = this.parts
    const { method, path } = this.hot.route
    const error: ClaudeNetError = toClaudeNetError(thrown)
    const { identity, body, request } = this
    const { authorization } = request.headers
    watch.refused(
      { method, route: path, identity, address: network.clientOf(request), authorization, params: {}, body },
      error,
    )
    if (error.code === 'internal') log.error({ err: thrown, method, route: path }, 'failed')
    else log.debug({ code: error.code, method, route: path }, error.code)
    this.send(error.status, error.toBody(), error.retryAfterMs)
  }
}

function readBody(call: HotCall): void {
  const chunks: Buffer[] = []
  call.request.on('data', (chunk: Buffer) => chunks.push(chunk))
  call.request.on('end', () => {
    try {
      call.body = readJson(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    } catch (error) {
      call.fail(error)
      return
    }
    void answer(call)
  })
}

async function answer(call: HotCall): Promise<void> {
  const { hot, identity, request, parts } = call
  let status = 200
  try {
    const isUsual = hot.route === api.sendMessage && isUsualSend(call.body)
    const body = isUsual ? call.body : parse(hot.route.body, call.body ?? undefined, 'body')
    const reply = { code: (code: number) => (status = code) }
    // The handlers of these routes use only this much of the framework's request and reply.
    const framework = { request: { headers: request.headers, log: parts.log }, reply }
    const value = await hot.handle({
      hub: parts.hub,
      identity,
      query: hot.query,
      params: {},
      body,
      ...framework,
    } as never)
    hot.answered(status)
    call.send(status, value)
  } catch (error) {
    call.fail(error)
  }
}
