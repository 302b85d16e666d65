import { type ChildProcess, fork, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnv, hubNode, program } from './program.ts'
import type { WarmHubOrder } from './warm-hub.ts'

/** A young generation that does not fill during a start saves a tenth of its time. */
const fewCollections = ['--min-semi-space-size=16', '--max-semi-space-size=16']

/** Command that runs a program in its own process, with the socket at descriptor 3. */
const asBySystemd = ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh']

/** Options that require a process started for this hub alone. */
export interface ColdStart {
  wrapper?: string[]
  handed?: number
  env?: Record<string, string>
}

/** The process of a hub, which runs no other hub meanwhile. */
export class HubProcess extends EventEmitter<{ end: [] }> {
  readonly #child: ChildProcess
  readonly #onExit = (code: number | null, signal: string | null) => this.#end(code ?? signal!)
  #status: number | string | undefined
  #hasAccepted = true

  /** Starts a hub in a new process, as users do. */
  static cold({ config, port, data, log }: WarmHubOrder, { wrapper = [], handed, env }: ColdStart): HubProcess {
    const before = handed === undefined ? wrapper : asBySystemd
    const args = [program, 'hub', '--config', config, '--port', String(port), '--data', data]
    const [command, ...rest] = [...before, hubNode, ...fewCollections, ...args]
    const output = openSync(log, 'a')
    const stdio = ['ignore', output, output, handed ?? 'ignore'] as const
    return new HubProcess(spawn(command!, rest, { stdio: [...stdio], env: cleanEnv(env) }))
  }

  /** Starts a hub in a process in which other hubs have run and ended, at a tenth of the cost of a cold start. */
  static warm(order: WarmHubOrder): HubProcess {
    const child = takeIdle() ?? startWarm()
    const hub = new HubProcess(child)
    hub.#hasAccepted = false
    const onMessage = (message: unknown) => {
      if (message === 'taken') hub.#hasAccepted = true
      else hub.#end(0)
    }
    child.on('message', onMessage)
    hub.once('end', () => {
      child.off('message', onMessage)
      if (isRunning(child)) idle.push(child)
    })
    // If the process is just ending, its exit reports that, so an error of `send` is ignored.
    child.send(order, () => {})
    return hub
  }

  private constructor(child: ChildProcess) {
    super()
    this.#child = child
    child.once('exit', this.#onExit)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** The exit status, or the signal that ended it; undefined while it runs. */
  get status(): number | string | undefined {
    return this.#status
  }

  /** Whether the process ended before it accepted the order: the hub can be started in another one. */
  get endedUnused(): boolean {
    return this.#status !== undefined && !this.#hasAccepted
  }

  kill(signal: NodeJS.Signals): void {
    // After a kill by the test, the hub must not be started in another process.
    this.#hasAccepted = true
    this.#child.kill(signal)
  }

  /** Resolves with the status once it has ended; rejects after `withinMs`. */
  async ended(withinMs: number): Promise<number | string> {
    if (this.#status === undefined) await once(this, 'end', { signal: AbortSignal.timeout(withinMs) })
    return this.#status!
  }

  #end(status: number | string): void {
    if (this.#status !== undefined) return
    this.#status = status
    this.#child.off('exit', this.#onExit)
    this.emit('end')
  }
}

/** The warm processes of this worker in which no hub runs. They end with the worker. */
const idle: ChildProcess[] = []

function takeIdle(): ChildProcess | undefined {
  for (let child = idle.pop(); child; child = idle.pop()) if (isRunning(child)) return child
  return undefined
}

function isRunning(child: ChildProcess): boolean {
  return child.connected && child.exitCode === null && child.signalCode === null
}

function startWarm(): ChildProcess {
  const child = fork(join(import.meta.dirname, 'warm-hub.ts'), {
    execPath: hubNode,
    execArgv: fewCollections,
    env: cleanEnv(),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  // An idle process must not keep the worker running.
  child.unref()
  child.channel!.unref()
  child.once('exit', () => {
    const index = idle.indexOf(child)
    if (index >= 0) idle.splice(index, 1)
  })
  return child
}
