import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { argumentsOf, thisPlatform } from '../../disk/platform.ts'
import { visibleLine } from '../../text/visible.ts'
import type { SshFiles } from './ssh-files.ts'
import { type SshFailure, whyNotConnected } from './ssh-words.ts'

/** Timeout of the login through ssh, in ms: its own `ConnectTimeout`, and as much again for an agent that asks its user. */
const startTimeoutMs = 20_000

/** Timeout of control commands to an open connection, in ms. */
const controlTimeoutMs = 3000

/** Maximum lag of a file's time behind the clock, in ms: a tick of the kernel's timer. */
const clockGrainMs = 10

/** Longest wait for the end of ssh's stderr after its exit, in ms: a process that it started may hold it open. */
const stderrWaitMs = 200

/** The result of an ssh: its exit status, or the signal or error instead of one, and the end of its stderr. */
interface Ended {
  status: number | string
  stderr: string
}

/** Maximum size of ssh's output that is kept and examined, in bytes. */
const maxLogBytes = 16_384

/**
 * Returns the options that override the user's ssh configuration: no prompts (no user is present), no unknown hosts, none of the
 * user's forwards, commands or shared connections. The connection fails 15 s after the other side falls silent, and ends after
 * `idleS` without use. With LogLevel INFO ssh logs why a forward was refused.
 */
function options(files: SshFiles): string[] {
  const settings = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    ConnectTimeout: '8',
    ServerAliveInterval: '5',
    ServerAliveCountMax: '2',
    ControlMaster: 'yes',
    // Relative to run/, so that neither its length nor a '%' in it matters.
    ControlPath: `./${files.id}.ctl`,
    ControlPersist: String(files.idleS),
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    RemoteCommand: 'none',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    StreamLocalBindUnlink: 'yes',
    StreamLocalBindMask: '0177',
    LogLevel: 'INFO',
  }
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
}

/** Ends the ssh of an earlier start, starts ssh, and makes it forward `socket` to the hub. Returns the failure, if any. */
export async function startSsh(files: SshFiles, signal: AbortSignal): Promise<SshFailure | undefined> {
  await endSsh(files)
  for (const path of [files.socket, files.control, files.log]) rmSync(path, { force: true })
  const args = ['-N', '-T', '-E', files.log, ...options(files), '--', files.host]
  const { status, stderr } = await runSsh(files, args, startTimeoutMs, signal, files.pid)
  if (status === 'ENOENT') {
    const hint = 'Install the OpenSSH client (Debian, Ubuntu: apt install openssh-client).'
    return { link: 'ssh', why: 'there is no ssh command on this machine', hint, said: '' }
  }
  if (status === 'SIGKILL') {
    const why = `${files.host} did not let this machine in within ${startTimeoutMs / 1000} s`
    return { link: 'key', why, hint: `Try: ssh ${files.host} true`, said: '' }
  }
  // The log has only ssh's own messages. Stderr is used only if there is no log yet, since it also has the server's banners.
  if (status !== 0) return whyNotConnected(readLog(files) || stderr, status, files)
  const { hostname, port } = files.hub
  const forward = `./${files.id}.sock:${hostname}:${port || (files.hub.protocol === 'https:' ? 443 : 80)}`
  const forwarded = await control(files, ['-O', 'forward', '-L', forward], signal)
  // The process that was started has forked into the background, so its pid is requested from it.
  const { stderr: holder } = await control(files, ['-O', 'check'], signal)
  writeFileSync(files.pid, /pid=(\d+)/.exec(holder)?.[1] ?? '', { mode: 0o600 })
  if (forwarded.status === 0) return undefined
  return {
    link: 'forward',
    why: `ssh opened no socket in ${files.dir}`,
    hint: 'Check whether the disk is full, and try again.',
    said: visibleLine(forwarded.stderr.trim(), 200),
  }
}

/** Ends the connection, if there is one, for all processes that use it, and kills an ssh that is still connecting. */
export async function endSsh(files: SshFiles): Promise<void> {
  if (existsSync(files.control)) await control(files, ['-O', 'exit'])
  killStarted(files)
}

/** Returns the version that `ssh -V` prints, or 'not found'. */
export async function sshVersion(): Promise<string> {
  const child = spawn('ssh', ['-V'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const version = text(child.stderr)
  const isThere = await once(child, 'exit').then(
    () => true,
    () => false,
  )
  return isThere ? visibleLine((await version).trim(), 100) : 'not found'
}

/**
 * Returns the end of ssh's log; undefined if nothing was written since `since` (ms since 1970). Truncates a file that has grown too
 * large: while the hub is unreachable, each request adds a line.
 */
export function readLog({ log }: SshFiles, since = 0): string | undefined {
  const stats = statSync(log, { throwIfNoEntry: false })
  if (!stats || stats.mtimeMs < since - clockGrainMs) return undefined
  const text = readFileSync(log, 'latin1')
  if (stats.size > maxLogBytes) truncateSync(log)
  return text.slice(-maxLogBytes)
}

/** Sends a control command to the ssh that holds the connection. No configuration is read: it was applied at the start. */
function control(files: SshFiles, args: string[], signal?: AbortSignal): Promise<Ended> {
  const socket = ['-F', '/dev/null', '-S', `./${files.id}.ctl`]
  return runSsh(files, [...socket, ...args, '--', files.host], controlTimeoutMs, signal)
}

/** Runs ssh in run/ until it exits or moves into the background. */
async function runSsh(
  { dir }: SshFiles,
  args: string[],
  timeoutMs: number,
  signal?: AbortSignal,
  pidFile?: string,
): Promise<Ended> {
  // Detached into its own session: it is not affected by Ctrl-C or a closed terminal, and has no terminal to prompt on.
  const child = spawn('ssh', args, { cwd: dir, detached: true, stdio: ['ignore', 'ignore', 'pipe'], env: englishEnv() })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-maxLogBytes)
  })
  const all = once(child, 'close').catch(() => {})
  const kill = () => void child.kill('SIGKILL')
  const timer = setTimeout(kill, timeoutMs)
  signal?.addEventListener('abort', kill)
  if (signal?.aborted) kill()
  process.once('exit', kill)
  if (pidFile && child.pid) writeFileSync(pidFile, String(child.pid), { mode: 0o600 })
  try {
    const [status, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    if (status !== 0) await Promise.race([all, delay(stderrWaitMs, undefined, { ref: false })])
    return { status: status ?? killedBy ?? 'nothing', stderr }
  } catch (error) {
    return { status: (error as NodeJS.ErrnoException).code ?? 'an error', stderr }
  } finally {
    // The ssh in the background may still hold it open.
    child.stderr.destroy()
    clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
    process.off('exit', kill)
  }
}

/** Returns an environment in which the resolver's messages are in English, so that they can be recognized. */
function englishEnv(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' }
}

/**
 * Kills the ssh that was started last. It still runs only if its starter was killed before the login succeeded, or if it does not
 * respond to control commands.
 */
function killStarted({ pid: pidFile, log }: SshFiles): void {
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8'))
  try {
    // The pid may have been reused.
    if (pid > 1 && argumentsOf(pid, thisPlatform).includes(log)) process.kill(pid, 'SIGKILL')
  } catch {
    // It has exited meanwhile.
  }
  rmSync(pidFile, { force: true })
}
