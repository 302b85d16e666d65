import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { argumentsOf, thisPlatform } from '../../disk/platform.ts'
import { visibleLine } from '../../text/visible.ts'
import type { SshFiles } from './ssh-files.ts'
import { type SshFailure, whyNotConnected } from './ssh-words.ts'

/** How long ssh may take to be let in, in ms: its own `ConnectTimeout`, and as much for an agent that asks its user. */
const startTimeoutMs = 20_000

/** For the local commands to a connection that is open, in ms. */
const controlTimeoutMs = 3000

/** By how much the time of a file may lag behind the clock, in ms: a tick of the kernel's timer, 10 at most. */
const clockGrainMs = 10

/** How long what ssh said last may be under way when it has ended, in ms: something that it started may hold its stderr open. */
const lastWordsMs = 200

/** How an ssh has ended: its status, or the signal or error that left it without one; and the end of its stderr. */
interface Ended {
  status: number | string
  stderr: string
}

/** As much of what ssh says is kept and looked at. */
const maxLogBytes = 16_384

/**
 * Everything that our connection must be whatever stands in the user's configuration: no questions (nobody is there to answer),
 * no unknown host, none of the user's own forwards, commands or shared connections; dead 15 s after the other side fell silent,
 * and gone `idleS` after the last who used it. At LogLevel INFO it says why a forward was refused.
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

/** Ends whatever an earlier start has left, starts ssh, and lets it forward `socket` to the hub. Answers why not. */
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
  // What stands in the log is ssh's own. Only before it has one, while it reads its arguments, stderr tells; later it has banners.
  if (status !== 0) return whyNotConnected(readLog(files) || stderr, status, files)
  const { hostname, port } = files.hub
  const forward = `./${files.id}.sock:${hostname}:${port || (files.hub.protocol === 'https:' ? 443 : 80)}`
  const forwarded = await control(files, ['-O', 'forward', '-L', forward], signal)
  // The process that was started has handed over to another.
  const { stderr: holder } = await control(files, ['-O', 'check'], signal)
  writeFileSync(files.pid, /pid=(\d+)/.exec(holder)?.[1] ?? '', { mode: 0o600 })
  if (forwarded.status === 0) return undefined
  return {
    link: 'forward',
    why: `ssh opened no socket in ${files.dir}`,
    hint: 'Try again; is the disk full?',
    said: visibleLine(forwarded.stderr.trim(), 200),
  }
}

/** Ends the connection, if there is one, at once for whoever uses it; and an ssh that never got so far. */
export async function endSsh(files: SshFiles): Promise<void> {
  if (existsSync(files.control)) await control(files, ['-O', 'exit'])
  killStarted(files)
}

/** What `ssh -V` says it is. */
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
 * The end of what ssh has written since it was started; undefined when it wrote nothing since `since` (ms since 1970). Cut off
 * when it has grown: while the hub is away, each request adds a line.
 */
export function readLog({ log }: SshFiles, since = 0): string | undefined {
  const stats = statSync(log, { throwIfNoEntry: false })
  if (!stats || stats.mtimeMs < since - clockGrainMs) return undefined
  const text = readFileSync(log, 'latin1')
  if (stats.size > maxLogBytes) truncateSync(log)
  return text.slice(-maxLogBytes)
}

/** Tells the ssh that holds the connection. No configuration is read: all that it would say has been said at the start. */
function control(files: SshFiles, args: string[], signal?: AbortSignal): Promise<Ended> {
  const socket = ['-F', '/dev/null', '-S', `./${files.id}.ctl`]
  return runSsh(files, [...socket, ...args, '--', files.host], controlTimeoutMs, signal)
}

/** Runs ssh in run/ until it ends or has gone into the background. */
async function runSsh(
  { dir }: SshFiles,
  args: string[],
  timeoutMs: number,
  signal?: AbortSignal,
  pidFile?: string,
): Promise<Ended> {
  // A session of its own: neither Ctrl-C nor the end of a terminal reaches it, and it has none to ask questions on.
  const child = spawn('ssh', args, { cwd: dir, detached: true, stdio: ['ignore', 'ignore', 'pipe'], env: plainEnv() })
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
    if (status !== 0) await Promise.race([all, delay(lastWordsMs, undefined, { ref: false })])
    return { status: status ?? killedBy ?? 'nothing', stderr }
  } catch (error) {
    return { status: (error as NodeJS.ErrnoException).code ?? 'an error', stderr }
  } finally {
    // The ssh that has gone into the background may hold it open still.
    child.stderr.destroy()
    clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
    process.off('exit', kill)
  }
}

/** The resolver's messages in English, which is what we look for. */
function plainEnv(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' }
}

/**
 * Kills the ssh that was started last. It has ended by itself, unless whoever started it was killed before it was let in, or it
 * hears no orders.
 */
function killStarted({ pid: pidFile, log }: SshFiles): void {
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8'))
  try {
    // The number may belong to somebody else by now.
    if (pid > 1 && argumentsOf(pid, thisPlatform).includes(log)) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
  rmSync(pidFile, { force: true })
}
