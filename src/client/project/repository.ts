import { lstatSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'

/** The directories of a git repository. */
export interface Repository {
  /** The directory that all of its worktrees share, such as `/home/sean/shop/.git`. It identifies the repository. */
  commonDir: string
  /** The main worktree. Undefined for a bare repository. */
  main?: string
  /** The worktree that the search began in. Undefined if it began inside the repository's own directory. */
  top?: string
}

/** Maximum size of a file that is read, in bytes: a `.git` file holds one path. */
const maxBytes = 64 * 1024

/**
 * Returns the git repository that contains `dir`, found by git's files without running git; undefined if there is none. If a linked
 * worktree names a repository that does not exist here, such as in a container that mounts only the worktree, the path is used as
 * it is.
 */
export function repositoryOf(dir: string): Repository | undefined {
  for (let at = dir; ; at = dirname(at)) {
    const found = repositoryAt(at)
    if (found) return found
    if (dirname(at) === at) return undefined
  }
}

/** Returns the repository whose worktree or own directory is `at`. */
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

/** Returns the repository of the worktree `top`, whose `.git` is a file that names `gitDir`; undefined where git finds none. */
function fromGitDir(gitDir: string, top: string): Repository | undefined {
  const common = readSmall(join(gitDir, 'commondir'))?.trim()
  if (common) return isOthers(gitDir, top) ? undefined : fromCommonDir(real(resolve(gitDir, common)))
  const [, shared] = /^(.+)[\\/]worktrees[\\/][^\\/]+$/.exec(gitDir) ?? []
  // A linked worktree without `commondir`: its repository is not on this machine, or if it is, does not have this worktree.
  if (shared !== undefined) return lookAt(shared) ? undefined : fromCommonDir(shared)
  // A submodule, or a repository whose directory is elsewhere. A submodule in a linked worktree is the one in the main worktree.
  return { commonDir: gitDir.replace(/([\\/])worktrees[\\/][^\\/]+[\\/](modules[\\/])/, '$1$2'), main: top }
}

/** Reports whether the linked worktree of `gitDir` is another directory than `top`, so that the `.git` of `top` is a copy or a forgery. */
function isOthers(gitDir: string, top: string): boolean {
  const dotGit = readSmall(join(gitDir, 'gitdir'))?.trim()
  const own = dotGit && resolve(gitDir, dotGit)
  // If the recorded path does not exist, the worktree was moved or is mounted elsewhere.
  return own !== undefined && own !== '' && lookAt(own) !== undefined && real(dirname(own)) !== real(top)
}

function fromCommonDir(commonDir: string): Repository {
  if (basename(commonDir) === '.git') return { commonDir, main: dirname(commonDir) }
  const [, worktree] = /^\s*worktree\s*=\s*"?(.+?)"?\s*$/m.exec(readSmall(join(commonDir, 'config')) ?? '') ?? []
  return { commonDir, ...(worktree !== undefined && { main: resolve(commonDir, worktree) }) }
}

/** Reports whether `dir` is a repository's own directory: `.git`, or a bare repository. */
function isRepositoryDir(dir: string): boolean {
  return isFile(join(dir, 'HEAD')) && isDirectory(join(dir, 'objects')) && isDirectory(join(dir, 'refs'))
}

/** Reports whether a repository still exists at `place`, a result of `placeOf`. */
export function isRepositoryPlace(place: string): boolean {
  return isFile(join(place, '.git', 'HEAD')) || isFile(join(place, 'HEAD'))
}

/** Returns the path of a repository for people: its main worktree, if that has its `.git`, else its own directory. It is unique. */
export function placeOf({ commonDir, main }: Repository): string {
  return main !== undefined && commonDir === join(main, '.git') ? main : commonDir
}

/** Returns the name of a repository's directory: of its main worktree, else of its own directory without `.git`. */
export function directoryNameOf({ commonDir, main }: Repository): string {
  if (main !== undefined) return basename(main)
  const name = basename(commonDir)
  // For example `shop/.bare`, with the worktrees beside it.
  return name.startsWith('.') ? basename(dirname(commonDir)) : name.replace(/\.git$/, '')
}

/** Returns the path in the main worktree that corresponds to `dir`; undefined without a main worktree, or if `dir` is in none. */
export function inMainWorktree({ main, top }: Repository, dir: string): string | undefined {
  return main === undefined || top === undefined ? undefined : resolve(main, relative(top, dir))
}

/** Returns the path with symbolic links resolved; `path` itself if it does not exist. */
export function real(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}

/** Returns the text of a regular file of at most 64 KiB; undefined for anything else, such as a link to a device. */
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
