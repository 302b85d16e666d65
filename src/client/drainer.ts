import { spawn } from 'node:child_process'
import { existsSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { isHeld, takeLock } from '../disk/process-lock.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Home } from './home.ts'
import { type Machine, openMachine } from './machine.ts'
import { waitingIn } from './outbox-store.ts'
import { pauseAfter } from './transport/retry-pause.ts'

/** Time after which the lock of a suspended drainer is taken over, in ms. The lock of one that has exited is free at once. */
const lock = { staleMs: 10_000 }

/** Longest run of one drainer, in ms. After that the next command or session of the machine starts another. */
const maxRunMs = 24 * 3_600_000

/** Interval between checks whether the machine has left its hub, in ms. */
const checkMs = 1000

/** Reports whether a process that outlives the command may be started: not with `CLAUDE_NET_DRAINER=off`. */
export function mayStartDrainer(): boolean {
  return process.env.CLAUDE_NET_DRAINER !== 'off'
}

/**
 * Starts a process that sends what waits in the outbox of `home`, unless nothing waits or a drainer is running. The process
 * outlives the caller. Only the program itself may call this: it starts the file that is running.
 */
export function startDrainer(home: Home): void {
  if (!mayStartDrainer() || waitingIn(home).length === 0 || isHeld(lockOf(home), lock)) return
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'drain'], {
    cwd: '/',
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, CLAUDE_NET_HOME: home.dir },
  })
  // If it cannot be started, the next command sends what waits.
  child.on('error', () => {})
  child.unref()
}

/**
 * Sends what waits in the outbox of `home`, with pauses of 0.5 to 30 s, until nothing waits. Returns earlier if another process
 * is draining, if the machine has left, if the hub refuses the machine, or after a day.
 */
export async function runDrainer(home: Home): Promise<void> {
  const startedAt = performance.now()
  // Checks again after releasing the lock: a command that found it held may have added a message that no other process would send.
  while (waitingIn(home).length > 0 && hasJoined(home)) {
    // On a disk that supports no lock, any number of drainers could run.
    const unlock = await takeLock(lockOf(home), lock).catch(() => undefined)
    if (!unlock) return
    let isDone: boolean
    try {
      isDone = await drainUntilEmpty(home, startedAt + maxRunMs)
    } finally {
      await unlock()
    }
    if (!isDone) break
  }
  if (!hasJoined(home)) removeEmpty(home)
}

/** Removes the directories of a home that was removed while a lock was created in it. */
function removeEmpty({ dir, runDir }: Home): void {
  for (const each of [runDir, dir]) {
    try {
      rmdirSync(each)
    } catch {
      return // Gone, or not empty.
    }
  }
}

/** Returns whether the outbox is empty. `endsAt` is a time of `performance.now()`. */
async function drainUntilEmpty(home: Home, endsAt: number): Promise<boolean> {
  let machine: Machine | undefined
  const gone = new AbortController()
  const check = setInterval(() => hasJoined(home) || gone.abort(), checkMs)
  try {
    machine = openMachine(home)
    for (let failures = 1; !gone.signal.aborted && performance.now() < endsAt; failures++) {
      const { waiting, decided, refusesUs } = await machine.outbox.drain()
      if (waiting === 0 || refusesUs) return waiting === 0
      if (decided.size > 0) failures = 1
      if (await pauseAfter(failures, gone.signal)) failures = 0
    }
  } catch (error) {
    // The machine has left, or has joined another hub: the next command starts another drainer.
    if (!(error instanceof ClaudeNetError)) throw error
  } finally {
    clearInterval(check)
    machine?.client.close()
  }
  return false
}

function hasJoined(home: Home): boolean {
  return existsSync(home.configFile)
}

function lockOf(home: Home): string {
  return join(home.runDir, 'drainer.lock')
}
