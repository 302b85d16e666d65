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

/** What a door shows of a request. */
export interface Seen {
  method: string
  /** The path as the table has it; undefined when there is no such route. */
  route: string | undefined
  /** Who asked; null when nobody was proven. */
  identity: Identity | null
  /** The address that the request came from. */
  address: string
  authorization: string | undefined
  /** As they came, checked or not. */
  params: unknown
  body: unknown
}

/** Routes for the admin that only look; reading who did what would hide it behind its own lines. */
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

/** Routes that are noted down though others than the admin ask them. */
const audited: ReadonlySet<RouteName> = new Set([
  'join',
  'renewToken',
  'putMemberPolicy',
  'consoleLink',
  'consoleLogin',
  'consoleLogout',
  'consoleRevoke',
])

/** Routes by which somebody shows a secret that is no token. */
const exchanges: ReadonlySet<RouteName | undefined> = new Set<RouteName | undefined>([
  'join',
  'consoleLogin',
  'receiveWebhook',
])

/** Fields of a request that hold names or numbers, as far as they say what a change was made with. */
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
 * Turns answers into metrics and lines of the audit: what the admin does, joins, failed logins and what was forbidden. Sends
 * are counted, not listed: the store itself holds who sent what to whom, and their path stays short.
 */
export class Watch {
  readonly metrics: Metrics
  readonly audit: Audit

  constructor(metrics: Metrics, audit: Audit) {
    this.metrics = metrics
    this.audit = audit
  }

  /** Whether a good answer of this route is a line of the audit. */
  isAudited(name: RouteName | undefined): boolean {
    if (name === undefined || looks.has(name)) return false
    const audience: unknown = api[name].audience
    return audited.has(name) || (Array.isArray(audience) && audience.length === 1 && audience[0] === 'admin')
  }

  /** A route that is audited was carried out. */
  done(seen: Seen): void {
    this.#add(seen, 'ok')
  }

  /** An answer that is an error. */
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

  /** Two machines are kept apart: `from` wrote the last straw. */
  readonly braked = ({ from, to, why }: { from: string; to: string; why: string }): void => {
    this.metrics.pairBraked()
    const who = { actor: from, tokenId: null, address: null }
    this.audit.add({ ...who, action: 'loopBrake', target: to, detail: why, result: 'rate_limited' })
  }

  /** One token was used from two hosts at once. */
  readonly sharedToken = ({ name, tokenId }: Identity, address: string, hosts: readonly string[]): void => {
    const who = { actor: name, tokenId, address }
    this.audit.add({ ...who, action: 'sharedToken', target: name, detail: hosts.join(', '), result: 'conflict' })
  }

  /** A machine was answered by something else in the hub's place, and told it nothing. */
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

/** A name, and nothing else that somebody may have put in its place: no token, no text. */
function nameIn(value: unknown): string | null {
  return typeof value === 'string' && namePattern.test(value) ? value : null
}

function rangeIn(value: unknown): string | null {
  return typeof value === 'string' && parseCidr(value) ? value : null
}

/** The session that was revoked, or `all`. */
function sessionIn({ id }: Record<string, unknown>, name: RouteName | undefined): string | null {
  return name === 'consoleRevoke' ? nameIn(id) : null
}

/** The name that a join was for. In one that failed it may be the code, put in the wrong place. */
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
