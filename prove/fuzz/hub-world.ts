import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { type HubConfig, readHubConfig } from '../../src/hub/config/hub-config.ts'
import { type RunningHub, serve } from '../../src/hub/serve.ts'
import { tabHeader } from '../../src/protocol/console-header.ts'
import { mintToken } from '../../src/protocol/token.ts'
import { Broken, holdsNoSecret } from './target.ts'

export interface Ask {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: Buffer | string
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

/** Maximum size of a response that is read, in bytes. */
const maxAnswerBytes = 8_000_000

/** Headers of a logged-in browser. */
type Browser = Record<string, string>

/** A hub in this process, with two machines, a person and an admin, reached over TCP. */
export class HubWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'claude-net-fuzz-hub-'))
  readonly tokens = { machine: '', other: '', human: '', admin: '' }
  browser: Browser = {}
  /** Secrets that no response and no log line may contain. */
  readonly secrets = new Set<string>()
  url!: URL
  #running!: RunningHub
  #fatal = false
  /** Log lines of level `error` and above. */
  readonly errors: string[] = []

  static async start(config: Partial<HubConfig> = {}): Promise<HubWorld> {
    const world = new HubWorld()
    const read = readHubConfig({ data: join(world.dir, 'data'), host: '127.0.0.1', port: 0, logLevel: 'debug' })
    const log = pino({ level: 'debug' }, world.#log())
    world.#running = await serve(
      { ...read, limits: null, backup: null, ...config },
      { log, onFatal: () => (world.#fatal = true) },
    )
    world.url = new URL(world.#running.url)
    world.tokens.admin = readFileSync(join(world.dir, 'data/admin.token'), 'utf8').trim()
    world.secrets.add(world.tokens.admin)
    await world.people()
    return world
  }

  /** Creates the members again if they were removed or their tokens have ended. */
  async people(): Promise<void> {
    for (const [role, name, owner] of [
      ['human', 'sean', undefined],
      ['machine', 'seanclaude', 'sean'],
      ['other', 'chasclaude', undefined],
    ] as const) {
      const known = this.tokens[role]
      if (known !== '' && (await this.ask({ path: '/v1/inbox', headers: bearer(known) })).status === 200) continue
      const kind = role === 'human' ? 'human' : 'machine'
      const invited = await this.admin('POST', '/v1/admin/invites', { name, kind, owner })
      const token = mintToken(kind)
      this.secrets.add(token)
      const { code } = JSON.parse(invited.text) as { code: string }
      const joined = await this.json('POST', '/v1/join', { code, machine: name, token })
      if (joined.status !== 200) throw new Error(`${name} cannot join: ${joined.text}`)
      this.tokens[role] = token
      await this.json('POST', '/v1/presence', { session: 's1', client: 'fuzz' }, bearer(token))
    }
    await this.logIn()
  }

  async admin(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.json(method, path, body, bearer(this.tokens.admin))
    if (answer.status >= 300) throw new Error(`${method} ${path} was refused: ${answer.text}`)
    return answer
  }

  json(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    if (body === undefined) return this.ask({ method, path, headers })
    return this.ask({
      method,
      path,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  }

  ask({ method = 'GET', path, headers = {}, body }: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname: host, port } = this.url
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const outgoing = httpRequest({ host, port, method, path, agent: false, headers: { ...length, ...headers } })
      let isAnswered = false
      outgoing.on('response', response => {
        isAnswered = true
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          bytes += chunk.byteLength
          // A stream does not end by itself.
          if (bytes > maxAnswerBytes || response.headers['content-type']?.startsWith('text/event-stream')) end()
        })
        const end = () => {
          resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString() })
          response.destroy()
        }
        response.on('end', end)
        response.on('error', end)
      })
      outgoing.on('error', error => isAnswered || reject(error))
      outgoing.end(body)
    })
  }

  /** Throws `Broken` if the hub is not ready, has stopped, or has logged a failure. */
  async check(): Promise<void> {
    if (this.#fatal) throw new Broken('the store of the hub has failed')
    const { status, text } = await this.ask({ path: '/readyz' })
    if (status !== 200) throw new Broken(`the hub is not ready: ${status} ${text}`)
    const [error] = this.errors.splice(0)
    if (error !== undefined) throw new Broken(`the log of the hub says: ${error.slice(0, 1000)}`)
  }

  async close(): Promise<void> {
    await this.#running.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  async logIn(): Promise<void> {
    const link = await this.json('POST', '/v1/console/links', {}, bearer(this.tokens.human))
    const { secret } = JSON.parse(link.text) as { secret: string }
    const own = { origin: this.url.origin, 'sec-fetch-site': 'same-origin', 'user-agent': 'Mozilla/5.0 Firefox/141.0' }
    const login = await this.json('POST', '/v1/console/login', { secret }, own)
    const { tab } = JSON.parse(login.text) as { tab: string }
    const cookie = login.headers['set-cookie']![0]!.split(';')[0]!
    for (const each of [tab, cookie.split('=')[1]!]) this.secrets.add(each)
    this.browser = { cookie, [tabHeader]: tab, ...own }
  }

  #log(): Writable {
    return new Writable({
      write: (chunk: Buffer, _, done) => {
        const line = chunk.toString('utf8')
        try {
          holdsNoSecret('the log', line, this.secrets)
        } catch (error) {
          this.errors.push((error as Error).message)
        }
        if ((JSON.parse(line) as { level: number }).level >= 50) this.errors.push(line.trim())
        done()
      },
    })
  }
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}
