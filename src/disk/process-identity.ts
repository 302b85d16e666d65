import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Names one process among those of every host, container and boot that may share a home: process numbers are used again. */
export interface ProcessIdentity {
  pid: number
  /** The host, its boot and its process namespace. Numbers of another place say nothing here. */
  place: string
  /** When it started, in the kernel's ticks since boot; '' where the system does not say. */
  startedAt: string
}

/** The identity of the running process. */
export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, place: place(), startedAt: stateOf(process.pid)?.startedAt ?? '' }
}

/** Whether this process has certainly ended. False where that cannot be known from here. */
export function hasEnded({ pid, place: where, startedAt }: ProcessIdentity): boolean {
  if (where !== place()) return false
  if (existsSync('/proc/self/stat')) {
    const found = stateOf(pid)
    // A zombie has ended; it only waits for its parent to read its status.
    return found === undefined || found.startedAt !== startedAt || /^[ZX]$/.test(found.state)
  }
  return !isRunning(pid)
}

/** Whether a process of this number runs here. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

let known: string | undefined

function place(): string {
  known ??= [hostname(), tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')), namespace()].join(' ')
  return known
}

function namespace(): string {
  return tryRead(() => readlinkSync('/proc/self/ns/pid'))
}

function tryRead(read: () => string): string {
  try {
    return read().trim()
  } catch {
    return ''
  }
}

/** Fields 3 and 22 of proc_pid_stat(5). The name before them, in parentheses, may hold anything. */
function stateOf(pid: number): { state: string; startedAt: string } | undefined {
  const text = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  if (text === '') return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0]!, startedAt: fields[19]! }
}
