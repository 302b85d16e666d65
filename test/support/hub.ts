import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { HubClient } from '../../src/client/hub-client.ts'
import { DirectTransport } from '../../src/client/transport/direct.ts'
import { openIdentity } from '../../src/hub/identity/identity.ts'
import { api } from '../../src/protocol/api.ts'
import { type HubKey, hubKeyOf } from '../../src/protocol/hub-key.ts'
import type { JoinableKind } from '../../src/protocol/messages.ts'
import { mintToken } from '../../src/protocol/token.ts'
import { cleanEnv, hubNode, program } from './program.ts'
import { tempDir } from './temp.ts'

/** A hub that is asked to stop has ended by then, also on a machine that does much else. */
const stopMs = 20_000

export interface StartHubOptions {
  /** Default: a fresh directory of the running test. */
  dataDir?: string
  /** Default: any free port, kept over restarts. */
  port?: number
  /** More of hub.json. Limits are off unless it says otherwise: tests send more than people do. */
  config?: Record<string, unknown>
  /** What the hub process is started with in front, such as `['strace', …]`. */
  wrapper?: string[]
  /** The descriptor of a bound socket, which the hub is handed as by systemd. */
  handed?: number
  env?: Record<string, string>
}

/** A joined member with a client that speaks for it. */
export interface TestMember {
  name: string
  token: string
  client: HubClient
}

/**
 * A real hub in a process of its own, over real TCP on loopback. It ends with the running test; a test that left it in a state
 * in which SIGTERM does not end it within `stopMs` fails.
 */
export class TestHub {
  readonly dataDir: string
  readonly #options: StartHubOptions
  #process: ChildProcess | undefined
  #port: number
  readonly #clients: HubClient[] = []

  constructor(options: StartHubOptions) {
    this.#options = options
    this.dataDir = options.dataDir ?? join(tempDir('hub'), 'data')
    this.#port = options.port ?? 0
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.#port}`)
  }

  get port(): number {
    return this.#port
  }

  get pid(): number {
    return this.#process!.pid!
  }

  get isRunning(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null
  }

  /** The log of all starts, in JSON lines. */
  get log(): string {
    return readFileSync(this.#logFile, 'utf8')
  }

  get adminToken(): string {
    return readFileSync(join(this.dataDir, 'admin.token'), 'utf8').trim()
  }

  /** Its address for a machine that knows its key. */
  get tlsOrigin(): string {
    return this.url.origin.replace('http:', 'https:')
  }

  /** Its own key and certificate, in PEM. */
  get identity(): { key: string; certificate: string } {
    return JSON.parse(readFileSync(join(this.dataDir, 'identity.json'), 'utf8'))
  }

  /** What it proves itself by. */
  get hubKey(): HubKey {
    return hubKeyOf(new X509Certificate(this.identity.certificate).publicKey)
  }

  /** Has it read a hub.json with other settings, and resolves once it goes by them. */
  async reload(settings: Record<string, unknown>): Promise<void> {
    const { length } = this.log
    writeFileSync(`${this.dataDir}.hub.json`, JSON.stringify({ host: '127.0.0.1', limits: null, ...settings }))
    process.kill(this.pid, 'SIGHUP')
    while (!this.log.slice(length).includes('hub.json was read again')) await delay(5)
  }

  /** Starts the process and resolves when it listens. Throws with its log when it ends instead. */
  async start(): Promise<void> {
    const isNew = mkdirSync(this.dataDir, { recursive: true, mode: 0o700 }) !== undefined
    const urlFile = join(this.dataDir, 'hub.url')
    rmSync(urlFile, { force: true })
    const configFile = `${this.dataDir}.hub.json`
    const { config, handed, env } = this.#options
    // What makes a certificate takes a new hub longer to load than all else. Here it is loaded once.
    if (isNew && !config?.tls && !this.#options.wrapper) await openIdentity(this.dataDir)
    const wrapper = handed === undefined ? (this.#options.wrapper ?? []) : asBySystemd
    writeFileSync(configFile, JSON.stringify({ host: '127.0.0.1', limits: null, ...config }))
    const args = [program, 'hub', '--config', configFile, '--port', String(this.#port), '--data', this.dataDir]
    const [command, ...rest] = [...wrapper, hubNode, ...fewCollections, ...args]
    const log = openSync(this.#logFile, 'a')
    const child = spawn(command!, rest, { stdio: ['ignore', log, log, handed ?? 'ignore'], env: cleanEnv(env) })
    this.#process = child
    while (!existsSync(urlFile)) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`The hub ended (${child.exitCode ?? child.signalCode}) instead of starting:\n${this.log}`)
      }
      await delay(5)
    }
    this.#port = Number(new URL(readFileSync(urlFile, 'utf8').trim()).port)
  }

  /** Sends `signal` and waits for the end. Answers the exit status, or the signal that ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const child = this.#process!
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'exit', { signal: AbortSignal.timeout(stopMs) })
    }
    return child.exitCode ?? child.signalCode!
  }

  /** kill -9, then a new process on the same directory and port. */
  async crashAndRestart(): Promise<void> {
    await this.stop('SIGKILL')
    await this.start()
  }

  /** Resolves with the exit status when the process ends by itself. */
  async ended(): Promise<number | string> {
    const child = this.#process!
    if (child.exitCode === null && child.signalCode === null)
      await once(child, 'exit', { signal: AbortSignal.timeout(stopMs) })
    return child.exitCode ?? child.signalCode!
  }

  /** A client that speaks with `token`, or with none. Closed with the test. */
  client(token?: string, timeoutMs?: number): HubClient {
    const client = new HubClient({ transport: new DirectTransport(this.url), token, timeoutMs })
    this.#clients.push(client)
    return client
  }

  /** Invites and joins a member over the public API. */
  async join(name: string, kind: JoinableKind = 'machine', owner?: string): Promise<TestMember> {
    const { code } = await this.client(this.adminToken).call(api.invite, { body: { name, kind, owner } })
    const token = mintToken(kind)
    await this.client().call(api.join, { body: { code, machine: name, token } })
    return { name, token, client: this.client(token) }
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    if (this.#process) await this.stop()
  }

  get #logFile(): string {
    return `${this.dataDir}.log`
  }
}

/** A young generation that a start does not fill saves a tenth of it. */
const fewCollections = ['--min-semi-space-size=16', '--max-semi-space-size=16']

/** What runs a program in its own process, with the socket at descriptor 3. */
const asBySystemd = ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh']

/** Starts a hub for the running test. */
export async function startHub(options: StartHubOptions = {}): Promise<TestHub> {
  const hub = new TestHub(options)
  onTestFinished(() => hub.close())
  await hub.start()
  return hub
}
