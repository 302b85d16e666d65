import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { api } from '../../src/protocol/api.ts'
import { joinLine } from '../../src/protocol/join-line.ts'
import type { TestHub } from './hub.ts'
import { cleanEnv, machineNode, type Ran, ranOf } from './program.ts'
import { tempDir } from './temp.ts'

/** The commands that the join line may use besides Node: curl, a shell, and what every system has. */
const basics = ['curl', 'sh', 'mkdir', 'chmod', 'mv', 'rm', 'cat', 'head', 'sleep']

/** Returns the path of a program on this machine's PATH, or in the system directories (/usr/sbin, /sbin). */
export function findTool(name: string): string | undefined {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'].map(dir => join(dir, name))
  return places.find(path => existsSync(path))
}

/** A machine without Claude Net: a user with an empty home, no terminal, and a PATH with only Node (the system's), curl and the basics. */
export class Newcomer {
  /** `HOME`. */
  readonly userHome = tempDir('newcomer')
  /** Directory of its own commands. `tools/node` and `tools/claude` may be replaced. */
  readonly tools = join(this.userHome, 'tools')
  /** Directory in which join links the command. */
  readonly bin = join(this.userHome, 'bin')
  readonly home = join(this.userHome, '.claude-net')
  /** The link that join makes. */
  readonly command = join(this.bin, 'claude-net')
  /** Files of Claude Code. */
  readonly state = join(this.userHome, '.claude.json')
  readonly settings = join(this.userHome, '.claude', 'settings.json')
  readonly #hub: TestHub
  readonly #wrapper: string[]

  /** `wrapper` is the prefix of every command line, such as `['/sbin/ip', 'netns', 'exec', …]`. */
  constructor(hub: TestHub, wrapper: string[] = []) {
    this.#hub = hub
    this.#wrapper = wrapper
    mkdirSync(this.tools)
    for (const name of basics) symlinkSync(findTool(name) ?? `/missing/${name}`, join(this.tools, name))
    symlinkSync(machineNode, join(this.tools, 'node'))
  }

  /** Installs a substitute for Claude Code, with these files. */
  installClaude({ state, settings }: { state?: unknown; settings?: unknown } = {}): void {
    mkdirSync(join(this.userHome, '.claude'), { recursive: true })
    if (state !== undefined) writeFileSync(this.state, JSON.stringify(state, null, 2))
    if (settings !== undefined) writeFileSync(this.settings, JSON.stringify(settings, null, 2))
  }

  /** Returns a new join code, made by the hub's admin. */
  async invite(name = 'seanclaude', kind: 'machine' | 'human' = 'machine'): Promise<string> {
    const { code } = await this.#hub.client(this.#hub.adminToken).call(api.invite, { body: { name, kind } })
    return code
  }

  /** Returns the join line that the admin gives to a user, with `options` for the script. */
  joinLine(code: string, options = ''): string {
    return `${joinLine({ origin: this.#hub.url.origin, code, hubKey: this.#hub.hubKey })} -s -- --bin ${this.bin} ${options}`
  }

  /** Joins with a new code, as a user would. */
  async join(options = ''): Promise<Ran> {
    return this.sh(this.joinLine(await this.invite(), options))
  }

  /** Runs the command that join has linked. */
  run(args: string): Promise<Ran> {
    return this.sh(`${this.command} ${args}`)
  }

  /** Runs a shell command line to its end, in a session without a terminal. */
  async sh(line: string): Promise<Ran> {
    const [command, ...args] = [...this.#wrapper, findTool('sh')!, '-c', line]
    const child = spawn(command!, args, { env: this.env, cwd: this.userHome, detached: true })
    return ranOf(child)
  }

  /** Runs a shell command line on a terminal of its own (`script` of util-linux), and types `keys` once its output contains `question`. */
  async onTerminal(line: string, question: string, keys: string): Promise<Ran> {
    const child = spawn(findTool('script')!, ['-qec', line, '/dev/null'], { env: this.env, cwd: this.userHome })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      const before = stdout.includes(question)
      stdout += text
      if (!before && stdout.includes(question)) child.stdin.write(keys)
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout, stderr: '' }
  }

  get env(): Record<string, string> {
    return { ...cleanEnv(), HOME: this.userHome, PATH: this.tools, SHELL: findTool('sh')! }
  }

  get token(): string {
    return readFileSync(join(this.home, 'token'), 'utf8').trim()
  }
}

/** Returns the JSON in a file. */
export function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
}
