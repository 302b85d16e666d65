import { processPlace } from './process-place.ts'

/** The clock, the timers and the processes of the machine. Tests and the simulation pass their own. */
export interface Runtime {
  /** Wall-clock time, ms since 1970. */
  now(): number
  /** Monotonic time, in ms. It never steps, so durations are measured by it. */
  monotonic(): number
  /** Calls `work` once after `ms`. A pending timer does not keep the process running. Returns a function that cancels it. */
  after(ms: number, work: () => void): () => void
  /** Id of this process. */
  readonly pid: number
  /** Scope in which process ids are valid; see `processPlace`. */
  readonly place: string
  /** Reports whether a process with this id runs here. */
  isRunning(pid: unknown): boolean
}

/** The system that this process runs on. */
export const systemRuntime: Runtime = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms).unref()
    return () => clearTimeout(timer)
  },
  // Read when needed: this module may be part of a startup snapshot made by another process.
  get pid() {
    return process.pid
  },
  get place() {
    return processPlace()
  },
  isRunning(pid) {
    if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 1) return false
    try {
      process.kill(pid, 0)
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM'
    }
  },
}
