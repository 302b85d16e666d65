import { parseCidr } from '../../protocol/address-range.ts'
import { api, type RouteName } from '../../protocol/api.ts'
import type { AuditLine } from '../../protocol/audit.ts'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import { joinCodePattern, normalizeJoinCode } from '../../protocol/join-code.ts'
import type { WrongHubReport } from '../../protocol/members.ts'
import { namePattern } from '../../protocol/names.ts'
import { bearerToken, parseToken } from '../../protocol/token.ts'
import type { Identity } from '../auth/identify.ts'
import type { Audit } from './audit.ts'
import type { Metrics } from './metrics.ts'

/** A request as a door reports it. */
export interface Seen {
  method: string
  /** Path of the route in the table of routes; undefined if the request matches none. */
  route: string | undefined
  /** Authenticated caller; null without one. */
  identity: Identity | null
  /** Address of the client. */
  address: string
  authorization: string | undefined
  /** As received, validated or not. */
  params: unknown
  body: unknown
}

/** Routes for the admin that only read: their lines would bury those of changes. */
const looks: ReadonlySet<RouteName> = new Set([
  'addresses',
  'listMembers',
  'listGroups',
  'listAudit',
  'getKey',
  'getSettings',
  'status',
  'telegramStatus',
  'telegramCheck',
  'listWebhooks',
  'listOutgoing',
  'listDead',
])

/** Audited routes that are not for the admin alone. */
const audited: ReadonlySet<RouteName> = new Set([
  'join',
  'renewToken',
  'putMemberPolicy',
  'consoleLink',
  'consoleLogin',
  'consoleLogout',
  'consoleRevoke',
])

/** Routes that authenticate by a secret other than a token. */
const exchanges: ReadonlySet<RouteName | undefined> = new Set<RouteName | undefined>([
  'join',
  'consoleLogin',
  'receiveWebhook',
])

/** Request fields with names or numbers that describe a change. */
const details = [
  'to',
  'member',
  'owner',
  'kind',
  'members',
  'keepTextDays',
  'inboxMessages',
  'inboxBytes',
  'senderPercent',
  'reservePercent',
  'tokenDays',
  'from',
  'ranges',
  'compromised',
  'source',
  'failedAs',
  'signed',
  'inbound',
  'mute',
] as const

const names = new Map((Object.keys(api) as RouteName[]).map(name => [`${api[name].method} ${api[name].path}`, name]))

/**
 * Turns responses into metrics and lines of the audit: changes by the admin, joins, failed logins and forbidden requests. Sends are only
 * counted: the store already records who sent what to whom, and their path stays short.
 */
export class Watch {
  readonly metrics: Metrics
  readonly audit: Audit

  constructor(metrics: Metrics, audit: Audit) {
    this.metrics = metrics
    this.audit = audit
  }

  /** Reports whether a successful request of this route makes a line of the audit. */
  isAudited(name: RouteName | undefined): boolean {
    if (name === undefined || looks.has(name)) return false
    const audience: unknown = api[name].audience
    return audited.has(name) || (Array.isArray(audience) && audience.length === 1 && audience[0] === 'admin')
  }

  /** Records a successful request of an audited route. */
  done(seen: Seen): void {
    this.#add(seen, 'ok')
  }

  /** Counts an error response, and adds its line to the audit if it makes one. */
  refused(seen: Seen, { code, status }: Pick<ClaudeNetError, 'code' | 'status'>): void {
    this.metrics.answersOf(seen.method, seen.route)(status)
    const name = routeName(seen)
    const isLogin = code === 'unauthorized' && !exchanges.has(name)
    if (isLogin) this.metrics.loginFailed()
    if (
      isLogin ||
      (code === 'unauthorized' && name === 'receiveWebhook') ||
      code === 'forbidden' ||
      this.isAudited(name)
    )
      this.#add(seen, code)
  }

  /** Records a loop brake; `from` sent the message that caused it. */
  readonly braked = ({ from, to, why }: { from: string; to: string; why: string }): void => {
    this.metrics.pairBraked()
    const who = { actor: from, tokenId: null, address: null }
    this.audit.add({ ...who, action: 'loopBrake', target: to, detail: why, result: 'rate_limited' })
  }

  /** Records that one token was used from two hosts at once. */
  readonly sharedToken = ({ name, tokenId }: Identity, address: string, hosts: readonly string[]): void => {
    const who = { actor: name, tokenId, address }
    this.audit.add({ ...who, action: 'sharedToken', target: name, detail: hosts.join(', '), result: 'conflict' })
  }

  /** Records that a machine reached something other than its hub at the hub's address, to which it sent nothing secret. */
  readonly wrongHub = (
    { name, tokenId }: Identity,
    from: string,
    { address, hubKey, times, at }: WrongHubReport,
  ): void => {
    const detail = `${address}: ${hubKey ?? 'no TLS'}, ${times} times, last ${at}`
    this.audit.add({
      actor: name,
      tokenId,
      address: from,
      action: 'wrongHub',
      target: name,
      detail,
      result: 'forbidden',
    })
  }

  #add(seen: Seen, result: AuditLine['result']): void {
    const name = routeName(seen)
    const isLogin = result === 'unauthorized' && !exchanges.has(name)
    const params = fieldsOf(seen.params)
    const body = fieldsOf(seen.body)
    const target =
      nameIn(params.name) ?? nameIn(body.name) ?? nameIn(body.for) ?? sessionIn(params, name) ?? machineIn(body, result)
    const claimed = name === 'join' ? body.token : bearerToken(seen.authorization)
    this.audit.add({
      actor: seen.identity?.name ?? (name === 'join' && result === 'ok' ? target : null),
      tokenId: seen.identity?.tokenId ?? (typeof claimed === 'string' ? (parseToken(claimed)?.id ?? null) : null),
      address: seen.address,
      action: isLogin ? 'login' : (name ?? 'none'),
      target: isLogin ? null : target,
      detail: isLogin || name === 'join' ? null : detailOf(body),
      result,
    })
  }
}

function routeName({ method, route }: Seen): RouteName | undefined {
  return route === undefined ? undefined : names.get(`${method} ${route}`)
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** Returns `value` if it is a name; anything else a client may have put in its place, such as a token or text, is dropped. */
function nameIn(value: unknown): string | null {
  return typeof value === 'string' && namePattern.test(value) ? value : null
}

function rangeIn(value: unknown): string | null {
  return typeof value === 'string' && parseCidr(value) ? value : null
}

/** Returns the console session that was revoked, or `all`. */
function sessionIn({ id }: Record<string, unknown>, name: RouteName | undefined): string | null {
  return name === 'consoleRevoke' ? nameIn(id) : null
}

/** Returns the machine that joined. In a failed join the field may hold the code by mistake, which is dropped. */
function machineIn({ machine }: Record<string, unknown>, result: AuditLine['result']): string | null {
  const name = nameIn(machine)
  return name !== null && result !== 'ok' && joinCodePattern.test(normalizeJoinCode(name)) ? null : name
}

function detailOf(body: Record<string, unknown>): string | null {
  const parts = details.flatMap(field => {
    const value = body[field]
    if (value === true) return [field]
    if (field === 'owner' && value === null) return ['owner=nobody']
    if (Number.isSafeInteger(value)) return [`${field}=${value}`]
    const isRange = field === 'from' || field === 'ranges'
    if (isRange && Array.isArray(value) && value.length === 0) return [`${field}=anywhere`]
    const names = (Array.isArray(value) ? value.slice(0, 20) : [value])
      .map(isRange ? rangeIn : nameIn)
      .filter(name => name !== null)
    return names.length > 0 ? [`${field}=${names.join(',')}`] : []
  })
  return parts.length > 0 ? parts.join(' ') : null
}
