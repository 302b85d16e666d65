import { statSync } from 'node:fs'

/**
 * Runs `work` with the rights of whoever `dir` belongs to, where root does it in another user's directory: what root makes there is
 * that user's, and a link that stands there leads no further than that user could go. `work` must not wait for anything. For
 * others, and where there is no such directory yet, it just runs.
 */
export function asOwnerOf<T>(dir: string, work: () => T): T {
  const [gid, groups] = [process.getegid?.() ?? 0, process.getgroups?.() ?? []]
  if (!becomeOwnerOf(dir)) return work()
  try {
    return work()
  } finally {
    process.seteuid!(0)
    process.setegid!(gid)
    process.setgroups!(groups)
  }
}

/** The same for all that this process does from now on, also where it waits. Returns whether anything has changed. */
export function becomeOwnerOf(dir: string): boolean {
  const stats = statSync(dir, { throwIfNoEntry: false })
  if (process.geteuid?.() !== 0 || !stats || stats.uid === 0) return false
  process.setgroups!([])
  process.setegid!(stats.gid)
  process.seteuid!(stats.uid)
  return true
}
