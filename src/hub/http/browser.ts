import type { IncomingMessage } from 'node:http'
import { tabHeader } from '../../protocol/console-header.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { hostNameOf } from '../../protocol/hub-address.ts'

/** Most cookies that are checked in one request. */
const maxCookies = 4

/** Determines whether a request came over TLS: see `Network`. */
interface Schemes {
  protocolOf(request: IncomingMessage): 'http' | 'https'
}

/** Reports whether a request came from a browser, by headers that a program does not send unless it poses as one. */
export function isFromBrowser({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined || headers[tabHeader] !== undefined
}

/**
 * Refuses requests that a page of another origin makes a browser send: `Origin`, if present, must be the scheme and the host of the request
 * itself, whose name was checked before. Throws `forbidden`.
 */
export function checkOrigin(request: IncomingMessage, network: Schemes): void {
  const { origin, host = '' } = request.headers
  if (origin === undefined || isOwnOrigin(origin, host, network.protocolOf(request))) return
  throw new ClaudeNetError(
    'forbidden',
    'Requests from web pages of another origin are refused.',
    "The console works only at the hub's own address. List a proxy in front of the hub in 'trustedProxies' of hub.json, and let it pass on Host and X-Forwarded-Proto.",
  )
}

/** Refuses requests that a browser sends for another site, or because its user typed the address. Throws `forbidden`. */
export function checkSameOrigin({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin') return
  throw new ClaudeNetError(
    'forbidden',
    'This request does not come from a page of the hub.',
    "Open the console at the hub's own address.",
  )
}

function isOwnOrigin(origin: string, host: string, scheme: 'http' | 'https'): boolean {
  const [, claimed, authority] = /^(https?):\/\/(.+)$/.exec(origin) ?? []
  if (authority === undefined || authority !== host.toLowerCase()) return false
  // A loopback port may be forwarded to the hub over TLS, with nobody in between.
  return claimed === scheme || isLoopback(hostNameOf(host))
}

function isLoopback(name: string | undefined): boolean {
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name ?? '')
}

/**
 * Returns the names of a session's cookie, with and without TLS. They include the port, as browsers send a cookie to all ports of a host:
 * otherwise two hubs on one host would log each other's users out.
 */
function cookieNames(request: IncomingMessage, network: Schemes): { secure: string; plain: string } {
  const [, port] = /:(\d+)$/.exec(request.headers.host ?? '') ?? []
  const plain = `claude-net-${port ?? (network.protocolOf(request) === 'https' ? 443 : 80)}`
  return { secure: `__Host-${plain}`, plain }
}

/** Returns the cookies of a request that may be a session's. There are several if another server on this host has set one. */
export function cookiesOf(request: IncomingMessage, network: Schemes): string[] {
  const { cookie } = request.headers
  if (cookie === undefined) return []
  const { secure, plain } = cookieNames(request, network)
  return cookie
    .split(';')
    .map(pair => pair.trim().split('='))
    .flatMap(([name, value]) => (value !== undefined && (name === secure || name === plain) ? [value] : []))
    .slice(0, maxCookies)
}

/** Returns the Set-Cookie header that sets the cookie for `lifeS` seconds. It is `Secure` if the page came over TLS. */
export function cookieFor(request: IncomingMessage, network: Schemes, value: string, lifeS: number): string {
  const { secure, plain } = cookieNames(request, network)
  const isSecure = request.headers.origin?.startsWith('https:') ?? network.protocolOf(request) === 'https'
  const attributes = `Path=/; Max-Age=${lifeS}; HttpOnly; SameSite=Strict`
  return isSecure ? `${secure}=${value}; ${attributes}; Secure` : `${plain}=${value}; ${attributes}`
}

/** Returns the name of a browser, such as `Firefox 141 on Android`; `a program` if the user agent names no known one. */
export function browserIn(userAgent: string | undefined): string {
  const agent = userAgent ?? ''
  // User agents also name browsers that they imitate, so the order matters.
  const [, name, version] =
    /(Edg|OPR|SamsungBrowser|Firefox|FxiOS|CriOS|Chrome|Version)[A-Za-z]*\/(\d{1,4})/.exec(
      agent.replace(/^.*(?=(?:Edg|OPR|SamsungBrowser)[A-Za-z]*\/)/, ''),
    ) ?? []
  if (name === undefined) return 'a program'
  const names: Record<string, string> = {
    Edg: 'Edge',
    OPR: 'Opera',
    SamsungBrowser: 'Samsung Internet',
    FxiOS: 'Firefox',
    CriOS: 'Chrome',
    Version: 'Safari',
  }
  // Android before Linux, as its user agents name both.
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Macintosh', 'CrOS', 'Linux'].find(each =>
    agent.includes(each),
  )
  const systems: Record<string, string> = { Macintosh: 'macOS', CrOS: 'ChromeOS' }
  return `${names[name] ?? name} ${version}${system ? ` on ${systems[system] ?? system}` : ''}`
}
