import type { Socket } from 'node:net'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { api, type RouteName } from '../../protocol/api.ts'
import type { Route } from '../../protocol/routes/route.ts'
import { BrowserIdentities } from '../auth/browser.ts'
import { Identities, type Identity } from '../auth/identify.ts'
import type { ConsoleSettings, DoorSettings } from '../config/door.ts'
import type { HubIdentity } from '../identity/identity.ts'
import { addRoute } from './add-route.ts'
import { answerErrors, answerMalformedPath } from './answer-errors.ts'
import { answerBroken, answerExpectation } from './broken-requests.ts'
import { Connections } from './connections.ts'
import type { Handler } from './handler.ts'
import { writeProbe } from './health.ts'
import { answerHotRoutes } from './hot-routes.ts'
import { acceptJsonOnly, maxRequestBytes, takeRawBodies } from './json-body.ts'
import { Limits } from './limits.ts'
import { Listeners } from './listeners.ts'
import { setLevelHeaders } from './min-seq.ts'
import { checkHeaders, Network, outsider } from './network.ts'
import { OpenBodies } from './open-bodies.ts'
import { PlainRequests, plainRefused } from './plain-requests.ts'
import { type RouteParts, routeHandlers } from './route-handlers.ts'
import { SharedTokenHosts } from './shared-token-hosts.ts'
import { Sight } from './sight.ts'
import type { Meter } from './sse.ts'
import { openTlsDoor } from './tls-door.ts'
import { TokenHosts } from './token-hosts.ts'
import { UnreadAnswers } from './unread-answers.ts'
import { watchConnections } from './watch-connections.ts'
import { WebhookCalls } from './webhook-calls.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; null on a public route. */
    identity: Identity | null
    /** Address of the client, behind any trusted proxy. */
    clientAddress: string
  }
}

/** Time in which clients may finish their requests once the server closes, in ms. Then their connections are closed. */
const closeGraceMs = 2000

/** The parts that the server gets from its caller for its handlers. */
type Shared =
  | 'hub'
  | 'hubs'
  | 'door'
  | 'clientFile'
  | 'dataDir'
  | 'watch'
  | 'backups'
  | 'snapshots'
  | 'tails'
  | 'telegram'
  | 'outgoing'

/** Parts of the HTTP door. */
export interface ServerOptions extends Pick<RouteParts, Shared> {
  log: FastifyBaseLogger
  /** Host names, beside IP literals and localhost, that requests may name. */
  hosts: readonly string[]
  /** Key and certificate of the hub; without them it speaks no TLS. */
  identity?: HubIdentity
  /** Called when the identity is replaced. */
  onProve?: (identity: HubIdentity) => void
}

/** The HTTP door: a server that does not listen yet, and the functions that reconfigure and stop it. */
export interface HttpDoor {
  server: FastifyInstance
  listeners: Listeners
  /** Must be called for each connection over the admin's own socket. */
  cameFromAdmin: (socket: Socket) => void
  /** Applies other host names, networks and limits from now on. */
  configure(settings: DoorSettings & { hosts: string[] }): void
  /** Ends every stream, and closes each connection after its next response. */
  leave(): void
  /** Uses `identity` for new TLS connections. */
  prove(identity: HubIdentity): void
}

/**
 * Creates the HTTP door: every route of `protocol/api.ts` with its handler. Every request passes the same checks in this order:
 * address, headers, token, limits, role, JSON, schema.
 */
export function createServer(options: ServerOptions): HttpDoor {
  let { hosts } = options
  let consoleSettings: ConsoleSettings = options.door
  const { hub, log, door, watch } = options
  const probe = writeProbe()
  const network = new Network(door)
  const limits = new Limits(door.limits, hub.level && hub.board)
  watch.metrics.nearDailyBound = least => limits.nearDailyBound(least)
  const tokenHosts = new TokenHosts({ onShared: watch.sharedToken })
  if (hub.level) new SharedTokenHosts(hub.board, tokenHosts)
  const server = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxRequestBytes,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    keepAliveTimeout: 75_000,
    requestTimeout: door.timeouts.requestMs,
    http: {
      headersTimeout: door.timeouts.headersMs,
      connectionsCheckingInterval: Math.min(5_000, door.timeouts.headersMs / 2),
      // `checkHeaders` refuses a request without a Host header, with an error in the usual form.
      requireHostHeader: false,
    },
    clientErrorHandler: (error, socket) => answerBroken(error, socket as Socket),
    return503OnClosing: false,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (_error, request, reply) =>
      answerMalformedPath(request as unknown as FastifyRequest, reply as unknown as FastifyReply, watch, network),
  })
  server.server.on('checkExpectation', answerExpectation)
  const connections = new Connections({ limits: door.limits, network })
  const unread = new UnreadAnswers(door)
  const bodies = new OpenBodies(door.limits)
  const plain = new PlainRequests(network, door.plain)
  watch.metrics.plain = plain
  let { identity } = options
  const hubKey = () => identity?.hubKey
  const prove = (next: HubIdentity) => {
    identity = next
    options.onProve?.(next)
    tls.prove(next)
  }
  const { secured } = watchConnections(server, { hub, connections, unread })
  const { headersMs: timeoutMs } = door.timeouts
  const tls = openTlsDoor(server.server, { identity, timeoutMs, onSecured: secured })
  watch.metrics.door = { counts: () => ({ ...connections.counts, unreadBytes: unread.bytes }) }
  server.decorateRequest('identity', null)
  server.decorateRequest('clientAddress', '')
  const closing = new AbortController()
  server.addHook('preClose', () => {
    closing.abort()
    setTimeout(() => {
      tls.close()
      server.server.closeAllConnections()
    }, closeGraceMs).unref()
  })
  acceptJsonOnly(server)
  answerErrors(server, watch)
  server.addHook('onRequest', (request, reply, next) => {
    // The next process of the hub serves the later requests of this client.
    if (closing.signal.aborted) reply.header('connection', 'close')
    const { socket } = request.raw
    if (socket.destroyed) {
      // The connection was closed after more of its requests had been read: nobody waits for a response.
      reply.hijack()
      return
    }
    reply.raw.once('close', connections.asked(socket))
    request.clientAddress = network.clientOf(request.raw)
    if (request.headers.host === undefined) reply.header('connection', 'close')
    const { url } = request.routeOptions
    if (!network.isAllowed(request.raw) && url !== api.health.path) throw outsider()
    if (!plain.isAllowed(request.raw) && !hasNoSecret(url)) throw plainRefused(plain.from)
    checkHeaders(request.raw, hosts, network)
    next()
  })

  if (hub.level) {
    server.addHook('onSend', (_request, reply, payload, next) => {
      setLevelHeaders(hub, reply)
      next(null, payload)
    })
  }

  const meter: Meter = socket => ({
    wrote: bytes => unread.wrote(socket, connections.clientOf(socket), bytes),
    read: () => unread.read(socket),
  })
  const sight = new Sight(() => consoleSettings.console, watch)
  const webhooks = new WebhookCalls({ hub, limits, connections })
  const handlers = routeHandlers({
    ...{ ...options, probe, limits, tokenHosts, network, plain, sight, webhooks, hubKey, prove },
    meter,
    closing: closing.signal,
    listening: () => listeners.addresses,
    identity: () => identity,
    consoleSettings: () => consoleSettings,
  })
  const identities = new Identities(hub)
  const browsers = new BrowserIdentities(hub)
  for (const name of Object.keys(api) as RouteName[]) {
    const parts = {
      hub,
      identities,
      browsers,
      limits,
      tokenHosts,
      plain,
      network,
      watch,
      connections,
      unread,
      bodies,
      webhooks,
    }
    const route: Route = api[name]
    const add = (to: FastifyInstance) =>
      addRoute(to, { ...parts, isAudited: watch.isAudited(name) }, route, handlers[name] as Handler<Route>)
    if (route.rawBytes === undefined) add(server)
    else takeRawBodies(server, add)
  }
  answerHotRoutes(server, {
    ...{ hub, handlers, identities, limits, tokenHosts, plain, network, connections, unread, bodies, watch, log },
    hosts: () => hosts,
    closing: closing.signal,
  })
  const listeners = new Listeners(server.server)
  return {
    server,
    prove,
    leave: () => closing.abort(),
    listeners,
    cameFromAdmin: network.cameFromAdmin,
    configure: settings => {
      hosts = settings.hosts
      consoleSettings = settings
      network.configure(settings)
      plain.configure(settings.plain)
      limits.configure(settings.limits)
      listeners.maxConnections = settings.limits?.connections ?? Number.POSITIVE_INFINITY
    },
  }
}

/** Reports whether a route returns the same to everyone and is used by monitoring, so that it stays open to requests without TLS. */
function hasNoSecret(url: string | undefined): boolean {
  return url === api.health.path || url === api.ready.path
}
