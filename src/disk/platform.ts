import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** The operating system, reduced to what differs between systems. Tests pass a fake. */
export interface Platform {
  /** As `process.platform`: `linux` (WSL too), `darwin` (macOS), `win32` (Windows). */
  name: NodeJS.Platform
  hostname: () => string
  /** Returns the text of a system file, such as one in /proc, without surrounding space; '' where it cannot be read. */
  read: (path: string) => string
  /** Returns the target of a link; '' where it cannot be read. */
  link: (path: string) => string
  /** Runs a system program and returns its output without surrounding space; '' where it fails or is missing. */
  run: (program: string, ...args: string[]) => string
}

export const thisPlatform: Platform = {
  name: process.platform,
  hostname,
  read: path => orEmpty(() => readFileSync(path, 'utf8')),
  link: path => orEmpty(() => readlinkSync(path)),
  run: (program, ...args) =>
    orEmpty(() =>
      execFileSync(program, args, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        // Times and words that do not depend on the user's settings.
        env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' },
        timeout: 5000,
      }),
    ),
}

/** Whether this is Linux inside Windows (WSL 1 or 2). */
export function isWsl({ name, read }: Platform): boolean {
  return name === 'linux' && /microsoft/i.test(read('/proc/sys/kernel/osrelease'))
}

/** Returns an id that changes with each boot of the host; '' where the system has none. */
export function bootId({ name, read, run }: Platform): string {
  return name === 'darwin' ? run('sysctl', '-n', 'kern.bootsessionuuid') : read('/proc/sys/kernel/random/boot_id')
}

/**
 * Returns the id of a host, which reboots and renames do not change; '' where it has none. On Linux machine-id(5), on macOS the UUID of
 * the hardware.
 */
export function machineId({ name, read, run }: Platform): string {
  if (name !== 'darwin') return read('/etc/machine-id')
  return /"IOPlatformUUID" = "([^"]+)"/.exec(run('ioreg', '-rd1', '-c', 'IOPlatformExpertDevice'))?.[1] ?? ''
}

/**
 * Returns a text that identifies this host, its boot, and its process namespace: process ids are comparable where it is equal.
 * macOS renames a host with its network, so its name is left out there.
 */
export function processSpace(platform: Platform): string {
  const boot = bootId(platform)
  const isNamedByBoot = platform.name === 'darwin' && boot !== ''
  return [isNamedByBoot ? '' : platform.hostname(), boot, platform.link('/proc/self/ns/pid')].join(' ')
}

/** A process as the system lists it. */
export interface ListedProcess {
  /** First letter of its state, such as `S` for sleeping and `Z` for a zombie. */
  state: string
  /** Time of its start: ticks since boot from /proc, a date (to the second) from ps. */
  startedAt: string
}

/** Returns the running process or zombie of this id; undefined where there is none, or the system does not list it. */
export function listedProcess(pid: number, { read, run }: Platform): ListedProcess | undefined {
  // Fields 3 and 22 of proc_pid_stat(5). The name before them, in parentheses, may hold anything.
  const stat = read(`/proc/${pid}/stat`)
  if (stat !== '') {
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, startedAt: fields[19]! }
  }
  if (hasProc({ read })) return undefined
  const [, state, startedAt] = /^(\S)\S*\s+(\S.*)$/.exec(run('ps', '-o', 'stat=,lstart=', '-p', String(pid))) ?? []
  return state === undefined ? undefined : { state, startedAt: startedAt! }
}

/** Returns the arguments of a process, the program first; from ps, split at each space. Empty where it cannot be seen. */
export function argumentsOf(pid: number, { read, run }: Platform): string[] {
  const line = read(`/proc/${pid}/cmdline`)
  if (line !== '') return line.split('\0')
  return hasProc({ read }) ? [] : run('ps', '-ww', '-o', 'args=', '-p', String(pid)).split(' ')
}

/** Whether /proc lists processes, as on Linux. */
export function hasProc({ read }: Pick<Platform, 'read'>): boolean {
  return read('/proc/self/stat') !== ''
}

function orEmpty(look: () => string): string {
  try {
    return look().trim()
  } catch {
    return ''
  }
}
