import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { dist, snapshot } from './snapshot/files.ts'

/** The built file that machines use. */
export const program = join(dist, 'claude-net.mjs')

/** Node for the hub: the one that runs the tests. */
export const hubNode = process.execPath

/** Node for the machine's side: the system's, which may be older, if npm reports its path. */
export const machineNode = process.env.npm_node_execpath ?? process.execPath

let isBuiltFileAsked = false

/**
 * Makes `run` and `TestMachine` start the built file with the machine's Node in the enclosing block, as users do, at three times the cost.
 */
export function startBuiltFile(): void {
  beforeAll(() => {
    isBuiltFileAsked = true
  })
  afterAll(() => {
    isBuiltFileAsked = false
  })
}

/** Returns the command line of the machine's side, without arguments: normally of a process that has the program loaded when it starts. */
export function programCommand(): [command: string, ...rest: string[]] {
  return isBuiltFileAsked || !existsSync(snapshot) ? [machineNode, program] : loaded
}

const loaded: [string, ...string[]] = [hubNode, '--snapshot-blob', snapshot, program]

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: Record<string, string>
  input?: string
  /** Node to start it with. Default: as `programCommand` does. */
  node?: string
  /** Arguments in front of the program, if `node` is a command that starts Node. */
  before?: string[]
  cwd?: string
}

/** Node's compile cache, as the service uses it: it saves a tenth of each start of the hub or of a command. */
const compileCache = join(import.meta.dirname, '../../node_modules/.cache/claude-net-compiled')

/**
 * Returns an environment without variables of the developer's machine. By default, no process is started that drains the outbox: kept
 * messages stay there, and no process outlives its command.
 */
export function cleanEnv(env: Record<string, string> = {}): Record<string, string> {
  const base = { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', NODE_COMPILE_CACHE: compileCache }
  return { ...base, CLAUDE_NET_DRAINER: 'off', ...env }
}

/** Runs one command of the program to its end. */
export async function run(args: string[], { env, input = '', node, before = [], cwd }: RunOptions = {}): Promise<Ran> {
  const isLoaded = node === hubNode && before.length === 0 && existsSync(snapshot)
  const [command, ...first] =
    node === undefined ? programCommand() : isLoaded ? loaded : ([node, ...before, program] as const)
  const child = spawn(command, [...first, ...args], { env: cleanEnv(env), cwd })
  return ranOf(child, input)
}

/** Returns the output and exit status of a process that was just started, once it has ended; `input` is its whole standard input. */
export async function ranOf(child: ChildProcessWithoutNullStreams, input = ''): Promise<Ran> {
  // Not `end('')`: that writes, which fails with EPIPE if the process has ended already.
  child.stdin.end(input || undefined)
  const [stdout, stderr, [code]] = await Promise.all([
    collect(child, 'stdout'),
    collect(child, 'stderr'),
    once(child, 'close'),
  ])
  return { code: code as number | null, stdout, stderr }
}

async function collect(child: ChildProcessWithoutNullStreams, name: 'stdout' | 'stderr'): Promise<string> {
  let text = ''
  for await (const chunk of child[name].setEncoding('utf8')) text += chunk
  return text
}
