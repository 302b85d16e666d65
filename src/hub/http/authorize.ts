import type { FastifyReply, FastifyRequest } from 'fastify'
import { api } from '../../protocol/api.ts'
import { tabHeader } from '../../protocol/console-header.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { hostHeader } from '../../protocol/host-header.ts'
import type { Route } from '../../protocol/routes/route.ts'
import { bearerToken, parseToken } from '../../protocol/token.ts'
import type { BrowserIdentities } from '../auth/browser.ts'
import { checkAddress, type Identities, type Identity, isOfEndedToken, socketAdmin } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import { checkSameOrigin, cookiesOf, isFromBrowser } from './browser.ts'
import type { Connections } from './connections.ts'
import { isPublic } from './handler.ts'
import type { Limits } from './limits.ts'
import { isAboutHub } from './min-seq.ts'
import type { Network } from './network.ts'
import type { PlainRequests } from './plain-requests.ts'
import type { TokenHosts } from './token-hosts.ts'

/** Parts of the door that decide who a caller is and what it may do. */
export interface Authorizing {
  hub: Hub
  identities: Identities
  browsers: BrowserIdentities
  limits: Limits
  tokenHosts: TokenHosts
  plain: PlainRequests
  network: Network
  connections: Connections
}

/**
 * Catches up with the log when a request shows a secret that is unknown here: another hub may have just issued it. For codes, links and
 * URLs of webhooks, which are rarely used, the hub always catches up. Returns undefined when there is no need to wait.
 */
export function catchUpFor(parts: Authorizing, route: Route, request: FastifyRequest): Promise<boolean> | undefined {
  const mustKnow = oneTimeRoutes.has(route) || (!isPublic(route.audience) && isUnknown(parts, request))
  return mustKnow ? parts.hub.level!.catchUp() : undefined
}

/** Reports whether a request shows a well-formed token, or a secret of a tab, that this hub has never stored. */
export function isUnknown({ identities, browsers, network }: Authorizing, { headers, raw }: FastifyRequest): boolean {
  const { authorization, [tabHeader]: tab } = headers
  if (authorization === undefined ? tab === undefined : !parseToken(bearerToken(authorization) ?? '')) return false
  try {
    if (authorization === undefined) browsers.of(cookiesOf(raw, network), tab as string)
    else identities.of(authorization)
    return false
  } catch (error) {
    return !isOfEndedToken(error)
  }
}

const oneTimeRoutes: ReadonlySet<Route> = new Set<Route>([
  api.join,
  api.joinScript,
  api.consoleLogin,
  api.receiveWebhook,
])

/**
 * Identifies the caller and returns its identity. Throws `unauthorized` for an unknown secret, `forbidden` where the role, the address or the
 * kind of credential is not admitted, and `rate_limited`.
 */
export function authorize(parts: Authorizing, route: Route, request: FastifyRequest, reply: FastifyReply): Identity {
  const { tokenHosts, plain, connections } = parts
  const identity = identify(parts, request)
  request.identity = identity
  checkAddress(identity, request.clientAddress)
  connections.proved(request.raw.socket, identity.tokenId)
  parts.limits.countRequest(identity, route === api.sendMessage)
  if (identity.session === undefined) {
    plain.saw(identity, request.raw)
    tokenHosts.saw(identity, request.clientAddress, request.headers[hostHeader] as string | undefined)
  } else reply.header('cache-control', 'no-store')
  if (!isAboutHub(route)) parts.hub.level?.expectReadable()
  checkKind(identity, route)
  if (isPublic(route.audience) || route.audience.includes(identity.role)) return identity
  throw new ClaudeNetError(
    'forbidden',
    `${route.method} ${route.path} is not for a ${identity.role}'s token.`,
    `It is for: ${route.audience.join(', ')}.`,
  )
}

/** Throws `forbidden` for a console session on a route for tokens only, or a token on a route for console sessions only. */
function checkKind({ session }: Identity, { method, path, browser }: Route): void {
  if (browser === undefined || (browser === 'only') === (session !== undefined)) return
  throw new ClaudeNetError(
    'forbidden',
    browser === 'only'
      ? `${method} ${path} is for console sessions only.`
      : `${method} ${path} is not for console sessions.`,
    browser === 'only' ? 'claude-net console opens one.' : 'It is for programs that have a token.',
  )
}

function identify(
  { identities, browsers, limits, network }: Pick<Authorizing, 'identities' | 'browsers' | 'limits' | 'network'>,
  request: FastifyRequest,
): Identity {
  const { authorization, [tabHeader]: tab } = request.headers
  const cookies = cookiesOf(request.raw, network)
  const isBrowser = isFromBrowser(request.raw) || (authorization === undefined && cookies.length > 0)
  if (isBrowser) checkSameOrigin(request.raw)
  if (isBrowser && authorization !== undefined) {
    throw new ClaudeNetError(
      'forbidden',
      'A request from a web page must not carry a token.',
      'Tokens are for programs. In a browser, open the console with a link: claude-net console.',
    )
  }
  // A browser is never the admin: a port forwarded to the admin's socket must not let every web page in.
  if (!isBrowser && authorization === undefined && network.isAdmin(request.raw.socket)) return socketAdmin
  try {
    return isBrowser ? browsers.of(cookies, tab as string | undefined) : identities.of(authorization)
  } catch (error) {
    throw limits.refuseStranger(error, request)
  }
}
