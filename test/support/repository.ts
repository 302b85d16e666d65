import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Creates in `dir` the files by which a git repository is recognized. Returns `dir`. */
export function makeRepository(...names: string[]): string {
  const dir = join(...names)
  mkdirSync(join(dir, '.git'), { recursive: true })
  writeFileSync(join(dir, '.git', 'HEAD'), 'ref: refs/heads/main\n')
  return dir
}

/** Creates in `dir` a linked worktree named `name` of the repository at `main`. Returns `dir`. */
export function makeWorktree(main: string, dir: string, name: string): string {
  const gitDir = join(main, '.git', 'worktrees', name)
  for (const each of [gitDir, dir]) mkdirSync(each, { recursive: true })
  writeFileSync(join(gitDir, 'commondir'), '../..\n')
  writeFileSync(join(dir, '.git'), `gitdir: ${gitDir}\n`)
  return dir
}
