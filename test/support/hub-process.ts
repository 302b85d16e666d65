import { type ChildProcess, fork, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { cleanEnv, hubNode, program } from './program.ts'
import type { WarmHubOrder } from './warm-hub.ts'

/** A young generation that a start does not fill saves a tenth of it. */
const fewCollections = ['--min-semi-space-size=16', '--max-semi-space-size=16']

/** Command that runs a program in its own process, with the socket at descriptor 3. */
const asBySystemd = ['sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh']

/** Options for which a hub needs a process started for it. */
export interface ColdStart {
  wrapper?: string[]
  handed?: number
  env?: Record<string, string>
}

/** The process in which a hub runs, and no other hub meanwhile. */
export class HubProcess extends EventEmitter<{ end: [] }> {
  readonly #child: ChildProcess
  readonly #onExit = (code: number | null, signal: string | null) => this.#end(code ?? signal!)
  #status: number | string | undefined
  #hasTaken = true

  /** In a process that was started for it, as users start one. */
  static cold({ config, port, data, log }: WarmHubOrder, { wrapper = [], handed, env }: ColdStart): HubProcess {
    const before = handed === undefined ? wrapper : asBySystemd
    const args = [program, 'hub', '--config', config, '--port', String(port), '--data', data]
    const [command, ...rest] = [...before, hubNode, ...fewCollections, ...args]
    const output = openSync(log, 'a')
    const stdio = ['ignore', output, output, handed ?? 'ignore'] as const
    return new HubProcess(spawn(command!, rest, { stdio: [...stdio], env: cleanEnv(env) }))
  }

  /** In a process in which other hubs have run and ended. A start costs a tenth of a cold one. */
  static warm(order: WarmHubOrder): HubProcess {
    const child = takeIdle() ?? startWarm()
    const hub = new HubProcess(child)
    hub.#hasTaken = false
    const onMessage = (message: unknown) => {
      if (message === 'taken') hub.#hasTaken = true
      else hub.#end(0)
    }
    child.on('message', onMessage)
    hub.once('end', () => {
      child.off('message', onMessage)
      if (isThere(child)) idle.push(child)
    })
    // One that ends just now says so by its exit.
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

  /** Whether the process had ended before it could run this hub: another one can. */
  get isVain(): boolean {
    return this.#status !== undefined && !this.#hasTaken
  }

  kill(signal: NodeJS.Signals): void {
    // Whoever ends it wants no other one.
    this.#hasTaken = true
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
  for (let child = idle.pop(); child; child = idle.pop()) if (isThere(child)) return child
  return undefined
}

function isThere(child: ChildProcess): boolean {
  return child.connected && child.exitCode === null && child.signalCode === null
}

function startWarm(): ChildProcess {
  const child = fork(join(import.meta.dirname, 'warm-hub.ts'), {
    execPath: hubNode,
    execArgv: fewCollections,
    env: cleanEnv(),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  // A worker that has nothing more to do does not wait for them.
  child.unref()
  child.channel!.unref()
  child.once('exit', () => {
    const place = idle.indexOf(child)
    if (place >= 0) idle.splice(place, 1)
  })
  return child
}
