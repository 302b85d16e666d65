import { hasProc, listedProcess, type Platform, processSpace, thisPlatform } from './platform.ts'

/** Identifies one process among those of every host, container and boot that may share a home: process ids are reused. */
export interface ProcessIdentity {
  pid: number
  /** The host, its boot and its process namespace. An id of another place means nothing here. */
  place: string
  /** Time of its start, as `listedProcess` has it; '' where the system does not say. */
  startedAt: string
}

/** Returns the identity of the running process. */
export function thisProcess(platform = thisPlatform): ProcessIdentity {
  const startedAt = listedProcess(process.pid, platform)?.startedAt ?? ''
  return { pid: process.pid, place: placeOn(platform), startedAt }
}

/** Whether this process has certainly ended. False where that cannot be known from here. */
export function hasEnded({ pid, place, startedAt }: ProcessIdentity, platform = thisPlatform): boolean {
  if (place !== placeOn(platform)) return false
  const found = listedProcess(pid, platform)
  // Where the system lists no process now, or listed none then, its id alone counts.
  if (!hasProc(platform) && (found === undefined || startedAt === '')) return !isRunning(pid)
  // A zombie has ended; it only waits for its parent to read its status.
  return found === undefined || found.startedAt !== startedAt || /^[ZX]$/.test(found.state)
}

/** Whether a process of this id runs here. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

let known: string | undefined

function placeOn(platform: Platform): string {
  if (platform !== thisPlatform) return processSpace(platform)
  known ??= processSpace(platform)
  return known
}
