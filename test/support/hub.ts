import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { HubClient } from '../../src/client/hub-client.ts'
import { DirectTransport } from '../../src/client/transport/direct.ts'
import type { Transport } from '../../src/client/transport/transport.ts'
import { openIdentity } from '../../src/hub/identity/identity.ts'
import { api } from '../../src/protocol/api.ts'
import { type HubKey, hubKeyOf } from '../../src/protocol/hub-key.ts'
import type { JoinableKind } from '../../src/protocol/messages.ts'
import { mintToken } from '../../src/protocol/token.ts'
import { ensureStore } from './empty-store.ts'
import { type ColdStart, HubProcess } from './hub-process.ts'
import { tempDir } from './temp.ts'

/** Time in which a hub must end after a signal. Several times what a busy machine needs. */
const stopMs = 90_000

/** Timeout of requests in tests that are not about timeouts: on a busy disk, a backup alone exceeds the timeout of a user's client. */
const answerMs = 90_000

export interface StartHubOptions extends ColdStart {
  /** Default: a fresh directory of the running test. */
  dataDir?: string
  /** Default: any free port, kept over restarts. */
  port?: number
  /** Further settings for hub.json. Limits are off by default: tests send more than people do. */
  config?: Record<string, unknown>
  /** Whether it gets a process of its own, for tests of the process itself: its command line, its memory. */
  cold?: boolean
}

/** A joined member and a client with its token. */
export interface TestMember {
  name: string
  token: string
  client: HubClient
}

/**
 * A real hub over TCP on loopback, the only one in its process, which may have run others before (`HubProcess`). It is stopped with the
 * running test, which fails if SIGTERM does not end it within `stopMs`.
 */
export class TestHub {
  readonly dataDir: string
  readonly #options: StartHubOptions
  #process: HubProcess | undefined
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
    return this.#process!.pid
  }

  get isRunning(): boolean {
    return this.#process !== undefined && this.#process.status === undefined
  }

  /** The log of all starts, in JSON lines. */
  get log(): string {
    return readFileSync(this.#logFile, 'utf8')
  }

  get adminToken(): string {
    return readFileSync(join(this.dataDir, 'admin.token'), 'utf8').trim()
  }

  /** Its address for a machine that has pinned its key. */
  get tlsOrigin(): string {
    return this.url.origin.replace('http:', 'https:')
  }

  /** Its key and certificate, in PEM. */
  get identity(): { key: string; certificate: string } {
    return JSON.parse(readFileSync(join(this.dataDir, 'identity.json'), 'utf8'))
  }

  /** Key by which it proves its identity. */
  get hubKey(): HubKey {
    return hubKeyOf(new X509Certificate(this.identity.certificate).publicKey)
  }

  /** Replaces the settings in hub.json and makes it reload them. Resolves once they are in force. */
  async reload(settings: Record<string, unknown>): Promise<void> {
    const { length } = this.log
    writeFileSync(`${this.dataDir}.hub.json`, JSON.stringify({ host: '127.0.0.1', limits: null, ...settings }))
    process.kill(this.pid, 'SIGHUP')
    while (!this.log.slice(length).includes('hub.json was read again')) await delay(5)
  }

  /** Starts the process and resolves when it listens. Throws with its log if it ends instead. */
  async start(): Promise<void> {
    const isNew = mkdirSync(this.dataDir, { recursive: true, mode: 0o700 }) !== undefined
    const urlFile = join(this.dataDir, 'hub.url')
    rmSync(urlFile, { force: true })
    const configFile = `${this.dataDir}.hub.json`
    const { config, cold, wrapper, handed, env } = this.#options
    // Most of a new hub's start is the loading of the library that makes certificates; this process has it loaded.
    if (isNew && !config?.tls && !wrapper) await openIdentity(this.dataDir)
    const isCold = cold || wrapper || handed !== undefined || env
    // A hub that shares a log creates its store from the log.
    if (isNew && !isCold && !config?.journal) ensureStore(join(this.dataDir, 'hub.db'))
    writeFileSync(configFile, JSON.stringify({ host: '127.0.0.1', limits: null, ...config }))
    const order = { config: configFile, port: this.#port, data: this.dataDir, log: this.#logFile }
    let hub = isCold ? HubProcess.cold(order, { wrapper, handed, env }) : HubProcess.warm(order)
    this.#process = hub
    while (!existsSync(urlFile)) {
      if (hub.endedUnused) {
        hub = HubProcess.warm(order)
        this.#process = hub
      }
      if (hub.status !== undefined) throw new Error(`The hub ended (${hub.status}) instead of starting:\n${this.log}`)
      await delay(5)
    }
    this.#port = Number(new URL(readFileSync(urlFile, 'utf8').trim()).port)
  }

  /** Sends `signal` and waits for the end. Returns the exit status, or the signal that ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    const hub = this.#process!
    if (hub.status === undefined) hub.kill(signal)
    return hub.ended(stopMs)
  }

  /** kill -9, then a new process on the same directory and port. */
  async crashAndRestart(): Promise<void> {
    await this.stop('SIGKILL')
    await this.start()
  }

  /** Resolves with the exit status once the process has ended by itself. */
  async ended(): Promise<number | string> {
    return this.#process!.ended(stopMs)
  }

  /** Returns the transport of its clients. */
  protected transport(): Transport {
    return new DirectTransport(this.url)
  }

  /** Returns a client with `token`, or without one; its timeout is long enough that only a hanging hub exceeds it. Closed with the test. */
  client(token?: string, timeoutMs = answerMs): HubClient {
    const client = new HubClient({ transport: this.transport(), token, timeoutMs })
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

/** Starts a hub for the running test. */
export async function startHub(options: StartHubOptions = {}): Promise<TestHub> {
  const hub = new TestHub(options)
  onTestFinished(() => hub.close())
  await hub.start()
  return hub
}
