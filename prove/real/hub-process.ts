import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openIdentity } from '../../src/hub/identity/identity.ts'

/** The built program. The environment may name another build that contains a planted bug. */
export const program = process.env.CLAUDE_NET_PROVE_PROGRAM ?? resolve(import.meta.dirname, '../../dist/claude-net.mjs')

/** Maximum time for a hub to start or to end, in ms. */
const patienceMs = 60_000

export interface HubOptions {
  dataDir: string
  /** Default: beside the data directory. */
  logFile?: string
  /** Default: any free port, the same after restarts. */
  port?: number
  /** Further fields of hub.json. Limits are off by default. */
  config?: Record<string, unknown>
  /** Command in front of the hub's command line, such as `['ip', 'netns', 'exec', …]`. */
  wrapper?: string[]
  env?: Record<string, string>
}

/** Thrown when a hub ended instead of starting. The message contains its output. */
export class NotStarted extends Error {
  override name = 'NotStarted'
}

/** A real hub in a process of its own, over TCP on loopback. Its creator must end it with `kill` or `stop`. */
export class HubProcess {
  readonly dataDir: string
  readonly logFile: string
  /** Program of the next start. */
  program = program
  /** Number of starts. */
  starts = 0
  readonly #options: HubOptions
  #port: number
  #child: ChildProcess | undefined

  constructor(options: HubOptions) {
    this.#options = options
    this.dataDir = options.dataDir
    this.logFile = options.logFile ?? `${options.dataDir}.log`
    this.#port = options.port ?? 0
  }

  get port(): number {
    return this.#port
  }

  get url(): URL {
    const { host = '127.0.0.1' } = this.#options.config ?? {}
    // A hub that listens on all addresses is reached on loopback.
    return new URL(`http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${this.#port}`)
  }

  get pid(): number {
    return this.#child!.pid!
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get adminToken(): string {
    return readFileSync(join(this.dataDir, 'admin.token'), 'utf8').trim()
  }

  /** Output of all its starts, standard output and standard error. */
  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : ''
  }

  /** Starts the process and resolves once it listens. Throws `NotStarted` if it ends instead. */
  async start(): Promise<void> {
    const { config, wrapper = [], env } = this.#options
    const isNew = mkdirSync(this.dataDir, { recursive: true, mode: 0o700 }) !== undefined
    // Most of a new hub's start is the loading of the library that makes certificates; this process has it loaded.
    if (isNew && !config?.tls) await openIdentity(this.dataDir)
    const configFile = `${this.dataDir}.hub.json`
    writeFileSync(configFile, JSON.stringify({ host: '127.0.0.1', limits: null, ...config }))
    const args = [this.program, 'hub', '--config', configFile, '--port', String(this.#port), '--data', this.dataDir]
    const [command, ...rest] = [...wrapper, process.execPath, '--max-semi-space-size=4', ...args]
    const before = this.log.length
    const log = openSync(this.logFile, 'a')
    const child = spawn(command!, rest, {
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', NODE_COMPILE_CACHE: compileCache, ...env },
    })
    this.#child = child
    this.starts++
    let url: string | undefined
    for (const began = performance.now(); url === undefined; await delay(5)) {
      url = listening.exec(this.log.slice(before))?.[1]
      if (url === undefined && !this.isRunning)
        throw new NotStarted(`The hub ended (${child.exitCode ?? child.signalCode}):\n${this.log.slice(before)}`)
      if (performance.now() - began > patienceMs) {
        await this.kill()
        throw new NotStarted(`The hub did not listen within ${patienceMs} ms:\n${this.log.slice(before)}`)
      }
    }
    this.#port = Number(new URL(url).port)
  }

  /** Sends SIGKILL. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Sends SIGTERM. Resolves with its exit status, or the signal that ended it. */
  async stop(): Promise<number | string> {
    // A process stopped by SIGSTOP would not handle SIGTERM.
    this.resume()
    return await this.#end('SIGTERM')
  }

  /** Sends SIGSTOP: the process does nothing until `resume`. */
  pause(): void {
    if (this.isRunning) this.#child!.kill('SIGSTOP')
  }

  resume(): void {
    if (this.isRunning) this.#child!.kill('SIGCONT')
  }

  /** Resolves with the exit status, or the signal, once the process ends by itself. */
  async ended(): Promise<number | string> {
    return await this.#end()
  }

  async #end(signal?: NodeJS.Signals): Promise<number | string> {
    const child = this.#child
    if (!child) return 0
    if (this.isRunning) {
      const ended = once(child, 'exit', { signal: AbortSignal.timeout(patienceMs) })
      if (signal) child.kill(signal)
      await ended.catch(() => {
        throw new Error(`The hub did not end within ${patienceMs} ms (${signal ?? 'by itself'})`)
      })
    }
    return child.exitCode ?? child.signalCode!
  }
}

/** The log line with the address. Two hubs on one directory each log their own. */
const listening = /"url":"([^"]+)"[^\n]*"msg":"the hub listens"/

/** Node's compile cache: it saves a tenth of each start of the hub. */
const compileCache = resolve(import.meta.dirname, '../../node_modules/.cache/claude-net-compiled')
