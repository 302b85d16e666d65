import { lstatSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'

/** A git repository, as far as its files say where it is. */
export interface Repository {
  /** The directory that all of its worktrees share, such as `/home/sean/shop/.git`. It tells this repository from all others. */
  commonDir: string
  /** The directory of the main worktree. Undefined for a bare repository. */
  main?: string
  /** The directory of the worktree that the search began in. Undefined where it began inside the repository itself. */
  top?: string
}

/** Most bytes of a file that is read: a `.git` file holds one path. */
const maxBytes = 64 * 1024

/**
 * The git repository that `dir` lies in, read from the files of git without starting it. Undefined where there is none. Where a
 * linked worktree names a repository that is not here, such as in a container that mounts the worktree alone, its path is taken
 * as it stands.
 */
export function repositoryOf(dir: string): Repository | undefined {
  for (let at = dir; ; at = dirname(at)) {
    const found = repositoryAt(at)
    if (found) return found
    if (dirname(at) === at) return undefined
  }
}

/** The repository whose worktree, or whose own directory, `at` is. */
function repositoryAt(at: string): Repository | undefined {
  const dotGit = join(at, '.git')
  if (isFile(join(dotGit, 'HEAD'))) return { commonDir: real(dotGit), main: at, top: at }
  const [, gitDir] = /^gitdir: *(.+?)\s*$/s.exec(readSmall(dotGit) ?? '') ?? []
  if (gitDir !== undefined) {
    const found = fromGitDir(real(resolve(at, gitDir)), at)
    return found && { ...found, top: at }
  }
  return isRepositoryDir(at) ? fromCommonDir(at) : undefined
}

/** The repository of a worktree at `top` whose `.git` is a file that names `gitDir`. Undefined where git would find none. */
function fromGitDir(gitDir: string, top: string): Repository | undefined {
  const common = readSmall(join(gitDir, 'commondir'))?.trim()
  if (common) return isOthers(gitDir, top) ? undefined : fromCommonDir(real(resolve(gitDir, common)))
  const [, shared] = /^(.+)[\\/]worktrees[\\/][^\\/]+$/.exec(gitDir) ?? []
  // A linked worktree of a repository that is not here; in one that is, no such worktree is known.
  if (shared !== undefined) return lookAt(shared) ? undefined : fromCommonDir(shared)
  // A submodule, or a repository whose directory stands elsewhere. In a linked worktree, a submodule is that of the main one.
  return { commonDir: gitDir.replace(/([\\/])worktrees[\\/][^\\/]+[\\/](modules[\\/])/, '$1$2'), main: top }
}

/** Whether the linked worktree of `gitDir` is another directory than `top`, whose `.git` is then a copy, or made up. */
function isOthers(gitDir: string, top: string): boolean {
  const dotGit = readSmall(join(gitDir, 'gitdir'))?.trim()
  const own = dotGit && resolve(gitDir, dotGit)
  // A worktree that was moved, or is mounted elsewhere, is not where its repository thinks it is.
  return own !== undefined && own !== '' && lookAt(own) !== undefined && real(dirname(own)) !== real(top)
}

function fromCommonDir(commonDir: string): Repository {
  if (basename(commonDir) === '.git') return { commonDir, main: dirname(commonDir) }
  const [, worktree] = /^\s*worktree\s*=\s*"?(.+?)"?\s*$/m.exec(readSmall(join(commonDir, 'config')) ?? '') ?? []
  return { commonDir, ...(worktree !== undefined && { main: resolve(commonDir, worktree) }) }
}

/** Whether `dir` is what git keeps a repository in: `.git`, or a bare repository. */
function isRepositoryDir(dir: string): boolean {
  return isFile(join(dir, 'HEAD')) && isDirectory(join(dir, 'objects')) && isDirectory(join(dir, 'refs'))
}

/** Whether a repository is still at `place`, its `placeOf`. */
export function isRepositoryPlace(place: string): boolean {
  return isFile(join(place, '.git', 'HEAD')) || isFile(join(place, 'HEAD'))
}

/** Where a repository is, for people: its main worktree, where that has its `.git`, or its own directory. No two have the same. */
export function placeOf({ commonDir, main }: Repository): string {
  return main !== undefined && commonDir === join(main, '.git') ? main : commonDir
}

/** The name of the directory of a repository: of its main worktree, or of itself without `.git`. */
export function directoryNameOf({ commonDir, main }: Repository): string {
  if (main !== undefined) return basename(main)
  const name = basename(commonDir)
  // `shop/.bare`, with the worktrees beside it.
  return name.startsWith('.') ? basename(dirname(commonDir)) : name.replace(/\.git$/, '')
}

/** Where `dir` is in the main worktree; undefined where there is none, or `dir` is in no worktree. */
export function inMainWorktree({ main, top }: Repository, dir: string): string | undefined {
  return main === undefined || top === undefined ? undefined : resolve(main, relative(top, dir))
}

/** The path without links; `path` itself where nothing is there. */
export function real(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}

/** The text of a plain file of at most 64 KiB, undefined for anything else: a repository may have a link to a device in it. */
export function readSmall(path: string): string | undefined {
  try {
    const stats = lstatSync(path)
    return stats.isFile() && stats.size <= maxBytes ? readFileSync(path, 'utf8') : undefined
  } catch {
    return undefined
  }
}

function isFile(path: string): boolean {
  return lookAt(path)?.isFile() === true
}

function isDirectory(path: string): boolean {
  return lookAt(path)?.isDirectory() === true
}

function lookAt(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined // A directory that this user may not enter.
  }
}
