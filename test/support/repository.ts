import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Makes `dir` what a git repository looks like to those who only want to know where it is. Returns it. */
export function makeRepository(...names: string[]): string {
  const dir = join(...names)
  mkdirSync(join(dir, '.git'), { recursive: true })
  writeFileSync(join(dir, '.git', 'HEAD'), 'ref: refs/heads/main\n')
  return dir
}

/** Makes `dir` a linked worktree, called `name`, of the repository at `main`. Returns it. */
export function makeWorktree(main: string, dir: string, name: string): string {
  const gitDir = join(main, '.git', 'worktrees', name)
  for (const each of [gitDir, dir]) mkdirSync(each, { recursive: true })
  writeFileSync(join(gitDir, 'commondir'), '../..\n')
  writeFileSync(join(dir, '.git'), `gitdir: ${gitDir}\n`)
  return dir
}
