import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { branchName } from '../protocol/activity.ts'

/** Most bytes of a file of git that is read here; what is larger is none of git's. */
const maxBytes = 4096

/**
 * What is checked out where `cwd` lies, as `.git/HEAD` of its worktree has it: a branch or, where that is detached, the beginning of
 * a commit. Nothing outside of a repository, and where git's files say something else. Runs no git.
 */
export function checkedOut(cwd: string): { branch?: string; commit?: string } {
  const head = headOf(cwd) ?? ''
  const [, branch] = /^ref: refs\/heads\/(.+)$/.exec(head) ?? []
  // With reftable the file holds a name that no branch can have.
  if (branch !== undefined) return branch === '.invalid' ? {} : { branch: branchName(branch) }
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(head) ? { commit: head.slice(0, 7) } : {}
}

/** The text of the HEAD of the worktree around `cwd`. */
function headOf(cwd: string): string | undefined {
  for (let dir = resolve(cwd); ; dir = dirname(dir)) {
    const git = join(dir, '.git')
    const stats = statSync(git, { throwIfNoEntry: false })
    if (stats?.isDirectory()) return small(join(git, 'HEAD'))
    if (stats?.isFile()) {
      // Of a worktree or a submodule: the file says where its directory is.
      const [, place] = /^gitdir: (.+)$/.exec(small(git) ?? '') ?? []
      return place && small(join(resolve(dir, place), 'HEAD'))
    }
    if (dir === dirname(dir)) return undefined
  }
}

/** The text of a plain file, without the space around it. */
function small(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() && stats.size <= maxBytes ? readFileSync(path, 'utf8').trim() : undefined
}
