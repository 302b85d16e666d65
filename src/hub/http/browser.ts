import type { IncomingMessage } from 'node:http'
import { tabHeader } from '../../protocol/console-header.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { hostNameOf } from '../../protocol/hub-address.ts'

/** Most cookies of one name that are looked at. */
const maxCookies = 4

/** Knows whether a request came over TLS: see `Network`. */
interface Schemes {
  protocolOf(request: IncomingMessage): 'http' | 'https'
}

/** What a request that a browser sends is told by. A program sends none of these unless it poses as one. */
export function isFromBrowser({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined || headers[tabHeader] !== undefined
}

/**
 * Refuses what a page of another origin has a browser send: `Origin`, where it is sent, must be the scheme and the host of the request
 * itself, whose name was checked before.
 */
export function checkOrigin(request: IncomingMessage, network: Schemes): void {
  const { origin, host = '' } = request.headers
  if (origin === undefined || isOwnOrigin(origin, host, network.protocolOf(request))) return
  throw new ClaudeNetError(
    'forbidden',
    'Requests from web pages of another origin are refused.',
    "The console is open at the hub's own address alone. A proxy in front of the hub stands in 'trustedProxies' of hub.json, and passes on Host and X-Forwarded-Proto.",
  )
}

/** Refuses what a browser sends because of another site, or because its user typed the address. */
export function checkSameOrigin({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin') return
  throw new ClaudeNetError(
    'forbidden',
    'This request was caused by another page than one of the hub.',
    "The console is at the hub's own address: open it there.",
  )
}

function isOwnOrigin(origin: string, host: string, scheme: 'http' | 'https'): boolean {
  const [, claimed, authority] = /^(https?):\/\/(.+)$/.exec(origin) ?? []
  if (authority === undefined || authority !== host.toLowerCase()) return false
  // A port of loopback may lead to the hub over TLS; nobody is in between.
  return claimed === scheme || isLoopback(hostNameOf(host))
}

function isLoopback(name: string | undefined): boolean {
  return name === 'localhost' || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name ?? '')
}

/**
 * The names of the cookie of a session, with and without TLS. Browsers show a cookie to all ports of a host, so that the port stands in
 * its name: two hubs of one host do not log each other's people out.
 */
function cookieNames(request: IncomingMessage, network: Schemes): { secure: string; plain: string } {
  const [, port] = /:(\d+)$/.exec(request.headers.host ?? '') ?? []
  const plain = `claude-net-${port ?? (network.protocolOf(request) === 'https' ? 443 : 80)}`
  return { secure: `__Host-${plain}`, plain }
}

/** The cookies of a request that may be a session's. There are several where something else of this host has set one. */
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

/** The header that gives a browser its cookie for `lifeS` seconds. It is `Secure` where the page came over TLS. */
export function cookieFor(request: IncomingMessage, network: Schemes, value: string, lifeS: number): string {
  const { secure, plain } = cookieNames(request, network)
  const isSecure = request.headers.origin?.startsWith('https:') ?? network.protocolOf(request) === 'https'
  const attributes = `Path=/; Max-Age=${lifeS}; HttpOnly; SameSite=Strict`
  return isSecure ? `${secure}=${value}; ${attributes}; Secure` : `${plain}=${value}; ${attributes}`
}

/** The browser as it names itself, in words such as `Firefox 141 on Android`; `a program` for what names none that is known. */
export function browserIn(userAgent: string | undefined): string {
  const agent = userAgent ?? ''
  // Browsers name others that they want to be taken for, so the order counts.
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
  // Android calls itself Linux too.
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Macintosh', 'CrOS', 'Linux'].find(each =>
    agent.includes(each),
  )
  const systems: Record<string, string> = { Macintosh: 'macOS', CrOS: 'ChromeOS' }
  return `${names[name] ?? name} ${version}${system ? ` on ${systems[system] ?? system}` : ''}`
}
