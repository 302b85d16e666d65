import { type ChildProcess, type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished, type TestContext } from 'vitest'
import { findTool } from './newcomer.ts'
import { hubNode, type Ran, ranOf } from './program.ts'
import { tempDir } from './temp.ts'
import { until } from './until.ts'

/** Programs that the host must have. */
const tools = ['unshare', 'nsenter', 'ip', 'systemctl', 'systemd-notify']

/**
 * Makes the root of the new system, an overlay in memory over this system's root, and becomes systemd there. The new system gets devices, a
 * network of its own, nothing of an earlier hub, and an empty /tmp, since systemd empties it at boot and this system's may contain a
 * million files. Its mounts are shared, like a container's: otherwise only systemd would see the credentials of a service, which it mounts
 * in another namespace. $1 is an empty directory, $2 is mounted as /mnt/shared.
 */
const bootScript = `set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ip link set lo up
rm -rf opt/claude-net etc/claude-net var/lib/claude-net usr/local/bin/claude-net etc/systemd/system/claude-net.service* etc/systemd/system/claude-net.socket*
mkdir -p mnt/shared .old
mount --bind "$2" mnt/shared
pivot_root . .old
umount -l /.old
mount --make-rshared /
exec env -i container=lxc PATH="$PATH" /lib/systemd/systemd --system --unit=basic.target
`

/** A temporary system with its own systemd, in namespaces over a copy of this system. */
export class BootedSystem {
  /** Directory of this system that is mounted there as `/mnt/shared`. */
  readonly shared: string
  readonly #pid: number

  constructor(pid: number, shared: string) {
    this.#pid = pid
    this.shared = shared
  }

  /** Starts a shell command line there as root, with Node and a substitute for sudo on the PATH. */
  start(line: string, env: Record<string, string> = {}): ChildProcessWithoutNullStreams {
    const path = `/mnt/shared/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
    const args = ['-t', String(this.#pid), '-a', '-r', '-w', '/bin/sh', '-c', line]
    return spawn(findTool('nsenter')!, args, { env: { PATH: path, HOME: '/root', LANG: 'C.UTF-8', ...env } })
  }

  /** Runs a shell command line there, as `start` does, and waits for its end. */
  async sh(line: string, env: Record<string, string> = {}): Promise<Ran> {
    return ranOf(this.start(line, env))
  }

  /** Like `sh`, for command lines that must succeed: returns their stdout. */
  async out(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.sh(line)
    if (code !== 0) throw new Error(`${line}\nended with ${code}:\n${stdout}${stderr}`)
    return stdout
  }
}

/** Boots a system for the running test, or skips the test if none can be booted. `dist` is a package in its /mnt/shared. */
export async function bootSystem(context: TestContext): Promise<BootedSystem> {
  if (process.getuid?.() !== 0) context.skip('a system can be booted in namespaces by root only')
  const missing = tools.filter(tool => !findTool(tool))
  if (missing.length > 0) context.skip(`a system needs ${missing.join(', ')}, not installed here`)
  const shared = tempDir('shared')
  const root = tempDir('root')
  preparePackage(join(shared, 'package'))
  mkdirSync(join(shared, 'bin'))
  linkOrCopy(hubNode, join(shared, 'bin', 'node'))
  writeFileSync(join(shared, 'bin', 'sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
  const namespaces = ['--fork', '--pid', '--mount', '--uts', '--ipc', '--cgroup', '--net', '--kill-child']
  const child = spawn(findTool('unshare')!, [...namespaces, 'sh', '-c', bootScript, 'boot', root, shared], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (said += text))
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'close')
    }
  })
  const system = await until('systemd has booted', () => booted(child, shared), 120_000).catch(() => undefined)
  return system ?? context.skip(`systemd cannot be booted here: ${said.trim() || 'it did not come up'}`)
}

/** Lays out the program like an unpacked package. */
export function preparePackage(dir: string): void {
  cpSync('dist', join(dir, 'dist'), { recursive: true })
  cpSync('install.sh', join(dir, 'install.sh'))
}

/** Creates hard links if both paths are on one file system, since a copy takes a hundred megabytes. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch {
    cpSync(from, to)
  }
}

async function booted(child: ChildProcess, shared: string): Promise<BootedSystem | undefined> {
  if (child.exitCode !== null) throw new Error('ended')
  const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
  if (pid === 0) return undefined
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('systemd')) return undefined
    execFileSync(findTool('nsenter')!, ['-t', String(pid), '-a', '-r', 'systemctl', 'is-active', 'basic.target'], {
      stdio: 'pipe',
    })
    return new BootedSystem(pid, shared)
  } catch {
    return undefined
  }
}
