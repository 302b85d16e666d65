import { statSync } from 'node:fs'

/**
 * Runs `work` with the rights of the owner of `dir` when root runs it in another user's directory: files that it makes belong to that user,
 * and a link there leads no further than that user could go. `work` must be synchronous. For other users, and when `dir` does not exist
 * yet, it just runs.
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

/** Gives this process the rights of the owner of `dir` from now on. Returns whether anything has changed. */
export function becomeOwnerOf(dir: string): boolean {
  const stats = statSync(dir, { throwIfNoEntry: false })
  if (process.geteuid?.() !== 0 || !stats || stats.uid === 0) return false
  process.setgroups!([])
  process.setegid!(stats.gid)
  process.seteuid!(stats.uid)
  return true
}
