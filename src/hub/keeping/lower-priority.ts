import type { ChildProcess } from 'node:child_process'
import { constants, getPriority, setPriority } from 'node:os'

/**
 * Lets a process that was just started give way to the hub, if the system permits it: the work is done in any case. A hub that already has
 * such a low priority passes it on to the process, and may not raise it.
 */
export function lowerPriority({ pid }: ChildProcess): void {
  const wanted = constants.priority.PRIORITY_BELOW_NORMAL
  try {
    if (pid !== undefined && getPriority() < wanted) setPriority(pid, wanted)
  } catch {
    // Not permitted, or the process has ended already.
  }
}
