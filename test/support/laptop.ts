import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished, type TestContext } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { type McpSession, startMachine, type TestMachine } from './machine.ts'
import { cleanEnv, programCommand, type Ran } from './program.ts'
import { type Sshd, sshProcesses, startSshd } from './sshd.ts'

/** A joined machine that reaches its hub through `sshd`, by the alias `ovh5`. */
export class Laptop {
  readonly machine: TestMachine
  readonly #sshd: Sshd
  #path: string | undefined

  constructor(machine: TestMachine, sshd: Sshd) {
    this.machine = machine
    this.#sshd = sshd
    // A connection would stay open after its test, unless its idle time is short.
    onTestFinished(() => {
      for (const { pid } of this.ssh) process.kill(pid, 'SIGKILL')
    })
  }

  get env(): Record<string, string> {
    return { ...this.machine.env, PATH: this.#path ?? this.#sshd.path }
  }

  /** The running ssh processes of this laptop. */
  get ssh(): { pid: number; command: string }[] {
    return sshProcesses(join(this.machine.home, 'run'))
  }

  /** Restricts the PATH to this directory. */
  only(tools: string): void {
    this.#path = tools
  }

  mcp(): Promise<McpSession> {
    return this.machine.mcp(this.env)
  }

  /** Starts a command that runs until the test ends. */
  start(...args: string[]): { stdout: string } {
    const [command, ...before] = programCommand()
    const child = spawn(command, [...before, ...args], {
      env: cleanEnv(this.env),
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    onTestFinished(() => void child.kill())
    const started = { stdout: '' }
    child.stdout.setEncoding('utf8').on('data', text => (started.stdout += text))
    return started
  }

  run(...args: string[]): Promise<Ran> {
    return this.machine.run(args, { env: this.env })
  }

  /** Sets these keys of config.json. */
  configure(changes: Record<string, unknown>): void {
    const file = join(this.machine.home, 'config.json')
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }))
  }
}

/** A joined machine that connects to its hub through `sshd`, with these changes in its config.json. */
export async function makeLaptop(
  hub: TestHub,
  sshd: Sshd,
  name: string,
  changes: Record<string, unknown> = {},
): Promise<Laptop> {
  const laptop = new Laptop(await startMachine(hub, name), sshd)
  laptop.configure({ sshHost: 'ovh5', hub: `http://localhost:${hub.port}`, ...changes })
  return laptop
}

/** Starts a hub (by `start`), an sshd from which it can be reached, and laptopclaude, which reaches the hub only over ssh. */
export async function startLaptop(
  context: TestContext,
  changes: Record<string, unknown> = {},
  start = startHub,
): Promise<{ hub: TestHub; sshd: Sshd; laptop: Laptop }> {
  const sshd = await startSshd(context)
  const hub = await start()
  return { hub, sshd, laptop: await makeLaptop(hub, sshd, 'laptopclaude', changes) }
}
