import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { takeLock } from '../../disk/process-lock.ts'
import type { SshFiles } from './ssh-files.ts'
import { endSsh, readLog, startSsh } from './ssh-start.ts'
import { type SshFailure, sshLinks, whyNotForwarded } from './ssh-words.ts'

/**
 * Time after which the lock of a suspended process that was starting ssh is taken over, in ms. If that process resumes, its attempt
 * fails.
 */
const staleLockMs = 5000

/** Interval between checks while another process starts ssh, in ms. */
const checkMs = 50

export interface OpenOptions {
  /** Maximum age of an earlier failure that is returned instead of another attempt, in ms. */
  maxAgeMs: number
  /** Aborts the attempt, and kills the ssh that is starting. */
  signal: AbortSignal
}

/**
 * Opens the machine's shared connection unless it is open. Returns the failure if it could not. Of several concurrent processes one
 * starts ssh; the others wait for its result. No process owns the ssh that was started: see docs/decisions/0014.
 */
export async function openLink(files: SshFiles, { maxAgeMs, signal }: OpenOptions): Promise<SshFailure | undefined> {
  const since = Date.now() - maxAgeMs
  mkdirSync(files.dir, { recursive: true, mode: 0o700 })
  for (;;) {
    if (await accepts(files.socket)) return undefined
    const failure = readFailure(files, since)
    if (failure) return failure
    signal.throwIfAborted()
    const unlock = await takeLock(files.lock, { staleMs: staleLockMs, updateMs: 1000 })
    if (!unlock) await delay(checkMs, undefined, { signal })
    else {
      try {
        if ((await accepts(files.socket)) || readFailure(files, since)) continue
        return await start(files, signal)
      } finally {
        await unlock()
      }
    }
  }
}

/** Ends the connection for every process of this machine. */
export async function endLink(files: SshFiles): Promise<void> {
  await endSsh(files)
}

/** Returns why requests that ssh accepted get no response, if it logged a reason since `since` (ms since 1970). */
export function whyRefused(files: SshFiles, since: number): SshFailure | undefined {
  const log = readLog(files, since)
  return log === undefined ? undefined : whyNotForwarded(log, files)
}

/** Reports whether a process listens on a unix socket. */
function accepts(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function start(files: SshFiles, signal: AbortSignal): Promise<SshFailure | undefined> {
  const failure = await startSsh(files, signal)
  if (!failure) rmSync(files.failure, { force: true })
  // The failure of an aborted start says nothing about the connection.
  else if (!signal.aborted)
    writeFileSync(files.failure, JSON.stringify({ at: Date.now(), ...failure }), { mode: 0o600 })
  return failure
}

/** Returns the last failure, of any process of this machine, if it is not older than `since`. */
function readFailure({ failure }: SshFiles, since: number): SshFailure | undefined {
  if (!existsSync(failure)) return undefined
  try {
    const { at, ...known } = JSON.parse(readFileSync(failure, 'utf8')) as SshFailure & { at: number }
    return at >= since && sshLinks.includes(known.link) ? known : undefined
  } catch {
    return undefined // Half written, or removed just now.
  }
}
