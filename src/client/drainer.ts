import { spawn } from 'node:child_process'
import { existsSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { isHeld, takeLock } from '../disk/process-lock.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Home } from './home.ts'
import { type Machine, openMachine } from './machine.ts'
import { waitingIn } from './outbox-store.ts'
import { pauseAfter } from './transport/retry-pause.ts'

/** How long a drainer that was stopped keeps others from starting, in ms; one that has ended does not. */
const lock = { staleMs: 10_000 }

/** How long a drainer tries, in ms. After that the next command or session of the machine starts another. */
const maxLifeMs = 24 * 3_600_000

/** How often it is looked whether the home is still there, in ms. */
const lookMs = 1000

/** Whether this machine may start a process that goes on after the command: `CLAUDE_NET_DRAINER=off` says no. */
export function mayStartDrainer(): boolean {
  return process.env.CLAUDE_NET_DRAINER !== 'off'
}

/**
 * Starts a process of its own that sends what waits in the outbox of `home`, unless nothing does or one runs already. It outlives
 * the caller. Only the program itself may call this: it starts the file that runs.
 */
export function startDrainer(home: Home): void {
  if (!mayStartDrainer() || waitingIn(home).length === 0 || isHeld(lockOf(home), lock)) return
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'drain'], {
    cwd: '/',
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, CLAUDE_NET_HOME: home.dir },
  })
  // Without it the next command sends what waits.
  child.on('error', () => {})
  child.unref()
}

/**
 * Sends what waits in the outbox of `home`, with pauses of 0.5 to 30 s, until nothing does. Ends also when another process does
 * it, the machine has left, the hub refuses it, or after a day.
 */
export async function runDrainer(home: Home): Promise<void> {
  const startedAt = performance.now()
  // Looks again after it has let go of the lock: what was kept meanwhile, by a command that saw it held, nobody else would send.
  while (waitingIn(home).length > 0 && hasJoined(home)) {
    // Without a disk that takes a lock there could be many of us.
    const unlock = await takeLock(lockOf(home), lock).catch(() => undefined)
    if (!unlock) return
    let isDone: boolean
    try {
      isDone = await drainUntilEmpty(home, startedAt + maxLifeMs)
    } finally {
      await unlock()
    }
    if (!isDone) break
  }
  if (!hasJoined(home)) removeEmpty(home)
}

/** Removes what is left of a home that was removed while a lock was made in it. */
function removeEmpty({ dir, runDir }: Home): void {
  for (const each of [runDir, dir]) {
    try {
      rmdirSync(each)
    } catch {
      return // Gone, or not empty.
    }
  }
}

/** Answers whether nothing waits any more. `endsAt` is by `performance.now()`. */
async function drainUntilEmpty(home: Home, endsAt: number): Promise<boolean> {
  let machine: Machine | undefined
  const gone = new AbortController()
  const look = setInterval(() => hasJoined(home) || gone.abort(), lookMs)
  try {
    machine = openMachine(home)
    for (let failures = 1; !gone.signal.aborted && performance.now() < endsAt; failures++) {
      const { waiting, decided, refusesUs } = await machine.outbox.drain()
      if (waiting === 0 || refusesUs) return waiting === 0
      if (decided.size > 0) failures = 1
      if (await pauseAfter(failures, gone.signal)) failures = 0
    }
  } catch (error) {
    // Left, or joined anew in a way that this process does not know: the next command starts another.
    if (!(error instanceof ClaudeNetError)) throw error
  } finally {
    clearInterval(look)
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
