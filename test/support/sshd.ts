import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, type TestContext } from 'vitest'
import { findTool } from './newcomer.ts'
import { tempDir } from './temp.ts'
import { until } from './until.ts'

/** Options before the machines' key in authorized_keys, as docs/operations.md recommends them. */
export const restricted = (port: number) => `restrict,port-forwarding,permitopen="localhost:${port}"`

/** Returns the reason why no ssh server can be started here, or undefined. */
export function whyNoSshd(): string | undefined {
  if (!findTool('sshd')) return 'these tests need sshd of openssh-server, which is not installed here'
  if (!findTool('ssh')) return 'these tests need ssh of openssh-client, which is not installed here'
  try {
    // Debian's sshd needs this directory for its unprivileged processes; the service creates it, but may not run here.
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  } catch {
    return 'these tests need the directory /run/sshd, which is not there and cannot be made'
  }
  return undefined
}

export interface SshdPlace {
  port: number
  /** Default: loopback. */
  address?: string
  /** Prefix of its command line, such as `['/sbin/ip', 'netns', 'exec', …]`. */
  wrapper?: string[]
}

/** A real sshd on a loopback port, with keys of its own, for one test. `ssh` in `tools` reaches it by the alias `ovh5`. */
export class Sshd {
  readonly dir: string
  readonly port: number
  /** Directory for the PATH: its `ssh` uses this server's configuration in place of the user's. */
  readonly tools: string
  /** Files that the client reads, which tests may change. */
  readonly clientConfig: string
  readonly knownHosts: string
  readonly authorizedKeys: string
  /** The machines' private key; the public key is in `.pub` beside it. */
  readonly key: string
  #process: ChildProcess | undefined
  #stopped: number[] = []

  readonly #place: Required<SshdPlace>

  constructor(dir: string, { port, address = '127.0.0.1', wrapper = [] }: SshdPlace) {
    this.#place = { port, address, wrapper }
    this.port = port
    this.dir = dir
    this.tools = join(dir, 'tools')
    this.clientConfig = join(dir, 'ssh_config')
    this.knownHosts = join(dir, 'known_hosts')
    this.authorizedKeys = join(dir, 'authorized_keys')
    this.key = join(dir, 'id_ed25519')
    for (const key of ['host_key', 'id_ed25519', 'other_key']) makeKey(join(this.dir, key))
    this.authorize()
    this.knowHost()
    writeFileSync(join(this.dir, 'banner'), 'Permission denied (nobody). HTTP/1.1 200 OK\n'.repeat(50))
    writeFileSync(
      join(this.dir, 'sshd_config'),
      `Port ${port}
ListenAddress ${address}
HostKey ${this.dir}/host_key
AuthorizedKeysFile ${this.authorizedKeys}
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
Banner ${this.dir}/banner
MaxStartups 100
LogLevel VERBOSE
`,
    )
    this.configureClient()
    mkdirSync(this.tools)
    // ssh takes the user's home from the password file, not from HOME.
    const ssh = findTool('ssh')
    writeFileSync(join(this.tools, 'ssh'), `#!/bin/sh\nexec ${ssh} -F ${this.clientConfig} "$@"\n`)
    chmodSync(join(this.tools, 'ssh'), 0o755)
  }

  /** Writes the client's configuration, with `more` lines for `ovh5`. */
  configureClient(more = ''): void {
    writeFileSync(
      this.clientConfig,
      `Host ovh5
  HostName ${this.#place.address}
  Port ${this.port}
  User ${userInfo().username}
  IdentityFile ${this.key}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ${this.knownHosts}
  GlobalKnownHostsFile /dev/null
  # What users have there for themselves, and what must not hold for us.
  ControlMaster auto
  ControlPath ${this.dir}/of-the-user
  LocalForward 127.0.0.1:${this.port} localhost:1
  ${more}
`,
    )
  }

  /** Authorizes the machines' key, with these options before it. */
  authorize(options = ''): void {
    writeFileSync(this.authorizedKeys, `${options} ${readFileSync(`${this.key}.pub`, 'utf8')}`)
  }

  /** Writes the host key in a file (default: the server's own) to the client's known_hosts. */
  knowHost(key = 'host_key'): void {
    const [type, text] = readFileSync(join(this.dir, `${key}.pub`), 'utf8').split(' ')
    const { address } = this.#place
    const where = this.port === 22 ? address : `[${address}]:${this.port}`
    writeFileSync(this.knownHosts, `${where} ${type} ${text}\n`)
  }

  /** A `PATH` whose `ssh` is configured for this server. */
  get path(): string {
    return `${this.tools}:${process.env.PATH}`
  }

  async start(): Promise<void> {
    const log = openSync(this.#logFile, 'a')
    const listening = this.log.split('Server listening').length
    const args = ['-D', '-e', '-f', join(this.dir, 'sshd_config')]
    const [command, ...before] = [...this.#place.wrapper, findTool('sshd')!]
    this.#process = spawn(command!, [...before, ...args], { stdio: ['ignore', log, log] })
    await until('sshd to listen', () => this.log.split('Server listening').length > listening)
  }

  /** Restarts it with more lines at the start of its configuration, where the first line of a keyword takes effect. */
  async restart(more = ''): Promise<void> {
    await this.kill()
    const file = join(this.dir, 'sshd_config')
    writeFileSync(file, `${more}\n${readFileSync(file, 'utf8')}`)
    await this.start()
  }

  /** Log of sshd, over all starts. */
  get log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : ''
  }

  /** Number of logins. */
  get logins(): number {
    return this.log.split('Accepted publickey').length - 1
  }

  /** Kills the server and all its connections with SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    for (const pid of stopAll(child.pid!)) signal(pid, 'SIGKILL')
    await ended
  }

  /** Suspends the server and all its connections, like a network that drops every packet. */
  freeze(): void {
    const { pid } = this.#process!
    this.#stopped = stopAll(pid!)
  }

  thaw(): void {
    for (const pid of this.#stopped.splice(0)) signal(pid, 'SIGCONT')
  }

  get #logFile(): string {
    return join(this.dir, 'sshd.log')
  }
}

/** Starts an sshd for the running test, or skips the test if none can be started. */
export async function startSshd(context: TestContext, place?: SshdPlace): Promise<Sshd> {
  const why = whyNoSshd()
  if (why) context.skip(why)
  const sshd = new Sshd(tempDir('sshd'), place ?? { port: await freePort() })
  onTestFinished(() => {
    sshd.thaw()
    return sshd.kill()
  })
  await sshd.start()
  return sshd
}

/** Returns the ssh processes that keep their files in `runDir`, each with its command line. */
export function sshProcesses(runDir: string): { pid: number; command: string }[] {
  return processes().flatMap(({ pid }) => {
    const args = commandLine(pid)
    return args.some(arg => arg.startsWith(`${runDir}/`)) && /(^|\/)ssh$/.test(args[0] ?? '')
      ? [{ pid, command: args.join(' ') }]
      : []
  })
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}

export function makeKey(path: string): void {
  execFileSync(findTool('ssh-keygen')!, ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path])
}

function descendants(pid: number): number[] {
  const all = processes()
  const below = (parent: number): number[] =>
    all.filter(({ ppid }) => ppid === parent).flatMap(child => [child.pid, ...below(child.pid)])
  return below(pid)
}

/** Stops a process and all its descendants, including those forked meanwhile. Returns their ids. */
function stopAll(pid: number): number[] {
  const stopped = new Set<number>()
  for (;;) {
    const running = [pid, ...descendants(pid)].filter(each => !stopped.has(each))
    if (running.length === 0) return [...stopped]
    for (const each of running) {
      signal(each, 'SIGSTOP')
      stopped.add(each)
    }
  }
}

function processes(): { pid: number; ppid: number }[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state === 'Z' ? [] : [{ pid: Number(name), ppid: Number(ppid) }]
      } catch {
        return []
      }
    })
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // The process has ended meanwhile.
  }
}
