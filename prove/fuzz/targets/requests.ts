import * as z from 'zod'
import { api, type RouteName } from '../../../src/protocol/api.ts'
import { ErrorBody } from '../../../src/protocol/error-body.ts'
import { mintToken } from '../../../src/protocol/token.ts'
import { chanceOf, pick } from '../../sim/random.ts'
import { fitting, type JsonSchema, type Strings, wordsOf } from '../from-schema.ts'
import { type Answer, bearer, HubWorld } from '../hub-world.ts'
import { Broken, filledIn, holdsNoSecret, jsonOf, objectOf, type Target } from '../target.ts'

/** Excluded routes: one starts a process, the other invalidates the admin's own key. */
const left: ReadonlySet<string> = new Set(['makeBackup', 'rotateKey'] satisfies RouteName[])
const names = Object.keys(api).filter(name => !left.has(name)) as RouteName[]
/** Routes that return `unavailable` here: there is no bot, no receiver at the URL of an outgoing webhook, and no TLS. */
const away: ReadonlySet<string> = new Set([
  'telegramStatus',
  'telegramCheck',
  'telegramConfirm',
  'testOutgoing',
] satisfies RouteName[])

const callers = ['machine', 'other', 'human', 'admin', 'none', 'browser'] as const
const words = ['$message', '$later', '$code', '$token', '$cursor', '$secret', '$nonce', '$dead']

/** A call: a route, its caller and its input. */
interface Call {
  route?: unknown
  as?: unknown
  params?: unknown
  query?: unknown
  body?: unknown
  headers?: unknown
}

const strings: Strings = (field, { format, pattern }, random) => {
  if (format === 'date-time') return '2026-12-24T18:00:00.000Z'
  if (pattern?.startsWith('^[0-9a-f]{8}') || ['id', 'ids', 'replyTo'].includes(field))
    return pick(random, ['$message', '$later'])
  if (field === 'token') return '$token'
  if (field === 'code') return '$code'
  if (field === 'nonce') return '$nonce'
  if (field === 'secret') return '$secret'
  if (field === 'url') return 'http://127.0.0.1:9/'
  if (['body', 'text', 'status', 'branch', 'q', 'client', 'template'].includes(field))
    return pick(random, ['hello', 'is the build red?', 'main'])
  return pick(random, ['seanclaude', 'chasclaude', 'sean', 'all', 'seanclaude/web', 's1', 'new', 'hook', 'out'])
}

/** Valid calls of every route. */
function seeds(): string[] {
  const random = chanceOf(1, 'requests')
  const made = (schema: z.ZodType) => fitting(schemaOf(schema), random, strings)
  return names.flatMap(name =>
    [0, 1].map(() => {
      const { audience, params, query, body } = api[name]
      const as = audience === 'public' ? 'none' : pick(random, [...audience])
      const call = { route: name, as, params: made(params), query: made(query), body: made(body) }
      return JSON.stringify([{ route: 'sendMessage', as: 'other', body: { to: 'seanclaude', body: 'hello' } }, call])
    }),
  )
}

function schemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
}

/** Every route of the hub with valid and invalid input. */
export const requests: Target = {
  name: 'requests',
  what: 'JSON, queries and paths to every route of a hub',
  json: true,
  dictionary: [
    ...new Set([
      ...names,
      ...callers,
      ...words,
      ...names.flatMap(name =>
        [api[name].params, api[name].query, api[name].body].flatMap(schema => wordsOf(schemaOf(schema))),
      ),
    ]),
  ],
  seeds: seeds(),
  async open() {
    const calls = new Calls(await HubWorld.start())
    return {
      run: input => calls.all(jsonOf(input)),
      check: () => calls.world.check(),
      close: () => calls.world.close(),
    }
  },
}

class Calls {
  readonly world: HubWorld
  #message = ''
  #later = ''
  #code = ''
  #secret = ''
  #hasLost = false

  constructor(world: HubWorld) {
    this.world = world
  }

  async all(given: unknown): Promise<void> {
    if (this.#hasLost) await this.world.people()
    this.#hasLost = false
    const filled = filledIn(given, {
      $message: () => this.#message,
      $later: () => this.#later,
      $code: () => this.#code,
      $secret: () => this.#secret,
      $token: () => {
        const token = mintToken('machine')
        this.world.secrets.add(token)
        return token
      },
      $nonce: () => Buffer.alloc(32, 7).toString('base64url'),
    })
    const calls = (Array.isArray(filled) ? filled : [filled]).slice(0, 8)
    for (const call of calls) await this.#one(objectOf(call))
  }

  async #one({ route: named, as, params, query, body, headers }: Call): Promise<void> {
    const name = (names as string[]).includes(String(named)) ? (named as RouteName) : 'sendMessage'
    const route = api[name]
    const filledParams = objectOf(params)
    let path = route.path.replaceAll(/:(\w+)/g, (_, param: string) => encoded(filledParams[param]))
    const pairs = Object.entries(objectOf(query)).map(([key, value]) => `${encoded(key)}=${encoded(value)}`)
    if (pairs.length > 0) path += `?${pairs.join('&')}`
    const text = body === undefined ? undefined : JSON.stringify(body)
    // An unknown name is echoed, even if it is a token that its owner mistook for a name.
    const typed =
      decodeURIComponent(path) + (JSON.stringify(body, (key, value) => (key === 'token' ? undefined : value)) ?? '')
    const answer = await this.world.ask({
      method: route.method,
      path: path.slice(0, 12_000),
      headers: {
        ...(text !== undefined && { 'content-type': 'application/json' }),
        ...(as === 'browser' ? this.world.browser : as === 'none' ? {} : bearer(this.#tokenOf(as))),
        ...headersOf(headers),
      },
      body: text,
    })
    this.#judge(name, answer, typed)
    this.#learn(name, answer)
  }

  #tokenOf(as: unknown): string {
    const { tokens } = this.world
    return tokens[as as keyof typeof tokens] ?? tokens.machine
  }

  #judge(name: RouteName, { status, headers, text }: Answer, typed: string): void {
    const {
      method,
      path,
      answer,
      statuses = [200],
    } = api[name] as (typeof api)[RouteName] & { statuses?: readonly number[] }
    const where = `${method} ${path}`
    holdsNoSecret(
      `the answer of ${where}`,
      text,
      [...this.world.secrets].filter(secret => !typed.includes(secret)),
    )
    if (status === 500 || (status === 503 && !away.has(name)))
      throw new Broken(`${where} answers ${status}: ${text.slice(0, 300)}`)
    if (status >= 400) {
      const error = ErrorBody.strict().safeParse(parsed(text))
      // MCP has its own format of errors.
      if (!error.success && name !== 'mcp')
        throw new Broken(`${where} answers ${status} with no error of ours: ${text.slice(0, 300)}`)
      return
    }
    if (!(statuses as readonly number[]).includes(status))
      throw new Broken(`${where} answers ${status}: ${text.slice(0, 300)}`)
    if (typeof answer === 'string' || name === 'mcp') return
    const fits = (answer as z.ZodType).safeParse(parsed(text))
    if (!fits.success) throw new Broken(`${where} answers what does not fit its schema: ${z.prettifyError(fits.error)}`)
    if (headers['content-type']?.startsWith('application/json') !== true)
      throw new Broken(`${where} answers no JSON: ${headers['content-type']}`)
  }

  #learn(name: RouteName, { status, text }: Answer): void {
    if (
      status === 401 ||
      [
        'deleteMember',
        'revokeMember',
        'rotateMember',
        'renameMember',
        'bindMember',
        'renewToken',
        'consoleLogout',
        'consoleRevoke',
        'join',
        'invite',
      ].includes(name)
    )
      this.#hasLost = true
    if (status >= 300) return
    const answer = objectOf(parsed(text))
    if (name === 'sendMessage' && answer.at !== undefined) this.#later = String(answer.id)
    else if (name === 'sendMessage') this.#message = String(answer.id)
    if (name === 'invite' || name === 'rotateMember') this.#code = String(answer.code)
    if (name === 'consoleLink') this.#secret = String(answer.secret)
  }
}

function encoded(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return encodeURIComponent(text.toWellFormed())
}

/** Header values that a client is able to send. */
function headersOf(value: unknown): Record<string, string> {
  const entries = Object.entries(objectOf(value)).filter(
    ([name, text]) =>
      /^[\w-]{1,40}$/.test(name) &&
      !['content-length', 'transfer-encoding', 'connection', 'expect', 'upgrade'].includes(name.toLowerCase()) &&
      /^[\t\x20-\x7e\x80-\xff]{0,4000}$/.test(String(text)),
  )
  return Object.fromEntries(entries.map(([name, text]) => [name, String(text)]))
}

function parsed(text: string): unknown {
  return jsonOf(Buffer.from(text))
}
