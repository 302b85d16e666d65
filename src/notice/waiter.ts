import { rmSync, watch, writeFileSync } from 'node:fs'
import { noticeText } from './notice-text.ts'
import { systemRuntime } from './runtime.ts'
import { deadServer, serverRemark } from './server-remark.ts'
import { instanceOf, isHeadless, type SessionDir } from './session-dir.ts'
import type { HookInput } from './session-state.ts'

/** Polling interval of the waiter, in ms: not every file system reports changes, and the session may have ended. */
const lookMs = 2000

/** Time after the end of the session's MCP server before the session is woken for that, in ms. */
const deadMs = 3000

/** Content of `wake.json`: the text with which the waiter wakes the session. */
export interface WakeOrder {
  text: string
}

/**
 * Waits, one process for each session, until the session's MCP server orders a wake; then writes its text to stderr and exits with 2,
 * which makes Claude Code wake the session (`asyncRewake`). Returns at once when another process waits already.
 */
export async function waitForWake(dir: SessionDir, input: HookInput, env: NodeJS.ProcessEnv): Promise<void> {
  // Claude Code waits for such a hook before it ends a `claude -p`.
  if (isHeadless(env)) return
  if (input.agent_id !== undefined) return
  const ended = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => ended.abort())
  dir.make()
  if (!takePlace(dir)) return
  const claude = process.ppid
  const instance = instanceOf(env)
  let deadSince: number | undefined
  // Claude Code ends its servers before its hooks, and starts one again within moments.
  const orderAfterCrash = (): WakeOrder | undefined => {
    deadSince = deadServer(dir, instance) === undefined ? undefined : (deadSince ?? performance.now())
    if (deadSince === undefined || performance.now() - deadSince < deadMs) return undefined
    const text = noticeText(serverRemark(dir, instance), Date.now())
    return text === undefined ? undefined : { text }
  }
  const order = await new Promise<WakeOrder | undefined>(resolve => {
    const look = () => {
      const order = takeOrder(dir) ?? orderAfterCrash()
      if (order || ended.signal.aborted || process.ppid !== claude || !holdsPlace(dir)) resolve(order)
    }
    setInterval(look, lookMs)
    try {
      watch(dir.path, look).on('error', () => {})
    } catch {
      // Without a watcher the timer polls.
    }
    ended.signal.addEventListener('abort', () => resolve(undefined))
    look()
  })
  if (holdsPlace(dir)) rmSync(dir.file('waiter.json'), { force: true })
  if (order) process.stderr.write(`${order.text}\n`)
  process.exit(order ? 2 : 0)
}

/** Reports whether a process waits to wake this session. */
export function hasWaiter(dir: SessionDir, runtime = systemRuntime): boolean {
  return runtime.isRunning(dir.read<{ pid: number }>('waiter.json')?.pid)
}

/** Makes the waiter wake its session. */
export function orderWake(dir: SessionDir, order: WakeOrder): void {
  dir.write('wake.json', order)
}

function takePlace(dir: SessionDir): boolean {
  for (const _ of [1, 2]) {
    try {
      writeFileSync(dir.file('waiter.json'), JSON.stringify({ pid: process.pid }), { flag: 'wx', mode: 0o600 })
      // Left by an earlier waiter that ended before it could read it.
      rmSync(dir.file('wake.json'), { force: true })
      return true
    } catch {
      if (hasWaiter(dir)) return false
      rmSync(dir.file('waiter.json'), { force: true })
    }
  }
  return false
}

function holdsPlace(dir: SessionDir): boolean {
  return dir.read<{ pid: number }>('waiter.json')?.pid === process.pid
}

function takeOrder(dir: SessionDir): WakeOrder | undefined {
  const order = dir.read<WakeOrder>('wake.json')
  if (order) rmSync(dir.file('wake.json'), { force: true })
  return order
}
