import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { branchName } from '../protocol/activity.ts'

/** Largest file of git that is read, in bytes. */
const maxBytes = 4096

/**
 * Returns what is checked out in the worktree around `cwd`, from its `.git/HEAD`: a branch, or the beginning of a commit when the HEAD
 * is detached. Returns neither outside of a repository, or when git's files hold something else. Does not run git.
 */
export function checkedOut(cwd: string): { branch?: string; commit?: string } {
  const head = headOf(cwd) ?? ''
  const [, branch] = /^ref: refs\/heads\/(.+)$/.exec(head) ?? []
  // With reftable the file holds this name, which no branch can have.
  if (branch !== undefined) return branch === '.invalid' ? {} : { branch: branchName(branch) }
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(head) ? { commit: head.slice(0, 7) } : {}
}

/** Returns the text of the HEAD of the worktree around `cwd`. */
function headOf(cwd: string): string | undefined {
  for (let dir = resolve(cwd); ; dir = dirname(dir)) {
    const git = join(dir, '.git')
    const stats = statSync(git, { throwIfNoEntry: false })
    if (stats?.isDirectory()) return small(join(git, 'HEAD'))
    if (stats?.isFile()) {
      // In a worktree or a submodule, this file holds the path of the directory.
      const [, place] = /^gitdir: (.+)$/.exec(small(git) ?? '') ?? []
      return place && small(join(resolve(dir, place), 'HEAD'))
    }
    if (dir === dirname(dir)) return undefined
  }
}

/** Returns the text of a small plain file, without the space around it. */
function small(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() && stats.size <= maxBytes ? readFileSync(path, 'utf8').trim() : undefined
}
