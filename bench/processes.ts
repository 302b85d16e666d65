import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { transformSync } from 'esbuild'

/** The built program. */
export const program = resolve(import.meta.dirname, '../dist/claude-net.mjs')

/** Node for the machine's side: the system's, as npm reports it, otherwise the one that runs this. */
export const machineNode = process.env.npm_node_execpath ?? process.execPath

/** Clock ticks per second, the unit of CPU time in /proc: 100 on every Linux that Node supports. */
const ticksPerSecond = 100

const running = new Set<ChildProcess>()

/** Kills every process that still runs, when a run is interrupted. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** A process under measurement. Disposing it ends it. */
export class Process implements AsyncDisposable {
  readonly child: ChildProcess
  /** Its port on loopback; 0 if it does not listen. */
  readonly port: number

  constructor(child: ChildProcess, port = 0) {
    this.child = child
    this.port = port
  }

  /** Its resident memory, in MB of a million bytes. */
  get residentMB(): number {
    return residentMB(this.child.pid!)
  }

  /** CPU time of all its threads since its start, in seconds. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8')
    // The name in parentheses may contain any character; the fields after it are counted from the third.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(timer)
  }
}

export function residentMB(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kibibytes) * 1024) / 1e6
}

export interface StartOptions {
  env?: Record<string, string>
  stdin?: 'ignore' | 'pipe'
  /** 2 is this process's stderr. */
  stdout?: 'pipe' | 2
}

/** Starts a child that ends with this process and shares its stderr. */
export function start(
  command: string,
  args: readonly string[],
  { env, stdin = 'ignore', stdout = 'pipe' }: StartOptions = {},
): ChildProcess {
  const child = spawn(command, args, {
    stdio: [stdin, stdout, 2],
    env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', ...env },
  })
  running.add(child)
  child.on('exit', () => running.delete(child))
  return child
}

export interface HubStart {
  env?: Record<string, string>
  /** Further fields of hub.json. */
  config?: object
  /** The program, unless it is the one in dist/. */
  entry?: string
  /** Flags of Node. */
  flags?: readonly string[]
}

/** Starts `claude-net hub` on any free port. */
export async function startHub(
  dataDir: string,
  { env, config, entry = program, flags: nodeFlags = [] }: HubStart = {},
): Promise<Process> {
  const urlFile = join(dataDir, 'hub.url')
  rmSync(urlFile, { force: true })
  const configFile = `${dataDir}.hub.json`
  // Limits per sender are off: otherwise they would be measured, not the hub.
  writeFileSync(configFile, JSON.stringify({ host: '127.0.0.1', port: 0, logLevel: 'error', limits: null, ...config }))
  const flags = ['--config', configFile, '--data', dataDir]
  const child = start(process.execPath, ['--max-semi-space-size=2', ...nodeFlags, entry, 'hub', ...flags], {
    env,
    stdout: 2,
  })
  while (!existsSync(urlFile)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('The hub ended instead of starting.')
    await delay(5)
  }
  return new Process(child, Number(new URL(readFileSync(urlFile, 'utf8').trim()).port))
}

/**
 * Starts one of `bench/yardsticks/`, which prints its port as its first line. It runs as CommonJS, which needs the least memory: stripping
 * types would take 35 MB, and importing `node:http` 13.
 */
export async function startYardstick(
  file: string,
  args: readonly string[] = [],
  env?: Record<string, string>,
): Promise<Process> {
  const source = readFileSync(join(import.meta.dirname, 'yardsticks', file), 'utf8')
  const { code } = transformSync(source, { loader: 'ts', format: 'cjs' })
  const child = start(process.execPath, ['--input-type=commonjs', '--eval', code, '--', ...args], { env })
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return new Process(child, Number(line))
}
