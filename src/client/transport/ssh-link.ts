import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { takeLock } from '../../disk/process-lock.ts'
import type { SshFiles } from './ssh-files.ts'
import { endSsh, readLog, startSsh } from './ssh-start.ts'
import { type SshFailure, sshLinks, whyNotForwarded } from './ssh-words.ts'

/**
 * How long the lock of a starter that was stopped stands in the way, in ms. Taken over from one that lives, it costs that one its
 * try.
 */
const staleLockMs = 5000

/** How often somebody who waits for another's start looks again, in ms. */
const lookAgainMs = 50

export interface OpenOptions {
  /** How old, in ms, the last failure may be to be taken instead of another try. */
  maxAgeMs: number
  /** Gives up, and ends the ssh that was just started. */
  signal: AbortSignal
}

/**
 * Opens the one connection of this machine unless it is open. Answers why it could not. Of all processes that ask at once one
 * starts ssh; the others wait, and take its result. Nobody owns what was started: see docs/decisions/0014.
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
    if (!unlock) await delay(lookAgainMs, undefined, { signal })
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

/** Why requests that ssh has taken get no answer, if it said so since `since` (ms since 1970). */
export function whyRefused(files: SshFiles, since: number): SshFailure | undefined {
  const log = readLog(files, since)
  return log === undefined ? undefined : whyNotForwarded(log, files)
}

/** Whether somebody listens on a socket of this machine. */
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
  // A start that we broke off ourselves tells nothing.
  else if (!signal.aborted)
    writeFileSync(files.failure, JSON.stringify({ at: Date.now(), ...failure }), { mode: 0o600 })
  return failure
}

/** What another process, or this one, has found since `since`. */
function readFailure({ failure }: SshFiles, since: number): SshFailure | undefined {
  if (!existsSync(failure)) return undefined
  try {
    const { at, ...known } = JSON.parse(readFileSync(failure, 'utf8')) as SshFailure & { at: number }
    return at >= since && sshLinks.includes(known.link) ? known : undefined
  } catch {
    return undefined // Half written, or removed just now.
  }
}
