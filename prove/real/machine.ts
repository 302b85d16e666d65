import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Credential } from './cluster.ts'
import { program } from './hub-process.ts'

/** Outcome of a process of the program. */
export interface Ran {
  /** Null after a signal. */
  code: number | null
  stdout: string
}

/** A machine with the real client program: its home on disk, and processes that are started and killed. */
export class Machine {
  readonly name: string
  readonly home: string

  /** Creates its home below `dir`, as `claude-net join` does. */
  constructor(dir: string, { name, token }: Credential, hub: URL) {
    this.name = name
    this.home = join(dir, name, '.claude-net')
    mkdirSync(this.home, { recursive: true, mode: 0o700 })
    writeFileSync(join(this.home, 'config.json'), JSON.stringify({ machine: name, sshHost: 'local', hub: hub.origin }))
    writeFileSync(join(this.home, 'token'), `${token}\n`, { mode: 0o600 })
  }

  start(...args: string[]): ChildProcessWithoutNullStreams {
    const userHome = join(this.home, '..')
    const env = {
      PATH: process.env.PATH ?? '',
      LANG: 'C.UTF-8',
      HOME: userHome,
      CLAUDE_NET_HOME: this.home,
      // No background process drains the outbox: it is drained by the next command.
      CLAUDE_NET_DRAINER: 'off',
    }
    return spawn(process.execPath, [program, ...args], { cwd: userHome, env, stdio: 'pipe' })
  }

  /** Runs a command to its end, or until it is killed after `killAfterMs`. */
  async run(args: string[], killAfterMs?: number): Promise<Ran> {
    const child = this.start(...args)
    child.stdin.end()
    child.stderr.resume()
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
    const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
    const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
    clearTimeout(timer)
    return { code, stdout }
  }

  /** Returns the ids of the messages in the outbox, in order. */
  kept(): string[] {
    try {
      const files = readdirSync(join(this.home, 'outbox')).sort()
      return files.flatMap(file => /^\d{12}-([0-9a-f-]{36}).*\.json$/.exec(file)?.[1] ?? [])
    } catch {
      return []
    }
  }
}
