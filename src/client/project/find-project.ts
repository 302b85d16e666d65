import { tmpdir } from 'node:os'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { userHome } from '../../disk/user-home.ts'
import { type KnownProjects, storeProject } from './known-projects.ts'
import { numbered, projectNameOf } from './project-name.ts'
import {
  directoryNameOf,
  inMainWorktree,
  isRepositoryPlace,
  placeOf,
  type Repository,
  readSmall,
  real,
  repositoryOf,
} from './repository.ts'

/** The settings for projects in config.json. */
export interface ProjectSettings {
  /** The project of a directory and of all below it, by the directory's path. An empty name stands for none. */
  projects?: Readonly<Record<string, string>> | undefined
  /** False if the machine reports no projects to the hub. */
  shareProjects?: boolean | undefined
}

/** Directories whose repositories belong to no project. */
export interface Places {
  /** The user's home directory itself. */
  userHome: string | undefined
  /** Temporary directories and everything below them, except below the user's home. */
  temporary: readonly string[]
}

export interface FoundProject {
  /** The project's name; undefined if the directory belongs to no project. */
  name?: string
  /** The source of the name, for people. */
  from?: string
  /** Set if another directory already has the name that this one would have. */
  clash?: { wanted: string; place: string; other: string }
}

/** The file in a repository that proposes a name for its project. */
const proposalFile = '.claude-net.json'

/** Returns the directories of this machine whose repositories belong to no project. */
function placesOfMachine(): Places {
  const home = userHome()
  const temporary = ['/tmp', '/var/tmp', '/dev/shm', '/run', '/var/folders', ...(tmpdir() === home ? [] : [tmpdir()])]
  return { userHome: home, temporary: [...new Set(temporary.map(real))] }
}

/**
 * Returns the project of a session in `dir`: by the config.json of `home`, else by its git repository, whose name is then stored in
 * `home`.
 */
export function findProject(
  dir: string,
  home: string,
  { projects = {}, shareProjects }: ProjectSettings,
  places: Places = placesOfMachine(),
): FoundProject {
  if (shareProjects === false) return {}
  const here = real(dir)
  const repository = repositoryOf(here)
  const configured = configuredFor(here, repository, projects)
  if (configured)
    return { ...(configured.name && { name: configured.name }), from: `config.json, for ${configured.key}` }
  if (!repository || isNoProject(repository.main ?? repository.commonDir, places)) return {}
  const own = projectNameOf(directoryNameOf(repository))
  const proposed = proposalOf(repository)
  if (own === undefined && proposed === undefined) return {}
  const place = placeOf(repository)
  const named = configuredNames(projects)
  const otherOf = (name: string, known: KnownProjects) => {
    const other = named.get(name) ?? known.get(name)
    // The name of a directory that was moved or removed is free.
    return other === place || (!named.has(name) && other !== undefined && !isRepositoryPlace(other)) ? undefined : other
  }
  const base = own ?? proposed!
  let clash: FoundProject['clash']
  const name = storeProject(home, place, known => {
    clash = undefined
    // A directory keeps its number, since messages are addressed to it.
    const [kept] =
      [...known].find(([name, where]) => where === place && isNumbered(name, base) && !named.has(name)) ?? []
    for (const wanted of [proposed, own]) {
      const other = wanted && otherOf(wanted, known)
      if (wanted !== undefined && other === undefined) return (wanted === base && kept) || wanted
      if (wanted && other) clash ??= { wanted, place, other }
    }
    if (kept !== undefined) return kept
    for (let number = 2; ; number++) {
      const next = numbered(base, number)
      if (otherOf(next, known) === undefined) return next
    }
  })
  const from = name === proposed ? `${proposalFile} of ${place}` : place
  return { name, from, ...(clash && { clash }) }
}

/** Returns the notice to a session that another directory of this machine has the name that its own would have. */
export function clashText(name: string, { wanted, place, other }: NonNullable<FoundProject['clash']>): string {
  return `This session's project is '${name}': the directory ${other} of this machine is '${wanted}' already. Tell your user: another name for ${place} goes into config.json, "projects": {${JSON.stringify(place)}: "NAME"}; claude-net doctor shows all.`
}

function isNumbered(name: string, base: string): boolean {
  const [, number] = /-(\d+)$/.exec(name) ?? []
  return number !== undefined && name === numbered(base, Number(number))
}

/** Returns the entry of config.json for the nearest directory above `here`, or above the same path in the main worktree. */
function configuredFor(here: string, repository: Repository | undefined, projects: Readonly<Record<string, string>>) {
  const inMain = repository && inMainWorktree(repository, here)
  for (const dir of [here, inMain ?? repository?.commonDir]) {
    if (dir === undefined) continue
    const [nearest] = Object.entries(projects)
      .map(([key, name]) => ({ key, dir: configuredDir(key), name: projectNameOf(name) }))
      .filter(entry => isInside(dir, entry.dir))
      .sort((a, b) => b.dir.length - a.dir.length)
    if (nearest) return nearest
  }
  return undefined
}

function configuredDir(key: string): string {
  const home = userHome()
  const path = key === '~' || key.startsWith('~/') ? join(home ?? '/', key.slice(1)) : key
  // If the directory does not exist, a directory above it may still be a symbolic link.
  return isAbsolute(path) ? real(resolve(path)) : path
}

/** Returns the names in config.json, each with its directory. */
function configuredNames(projects: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(
    Object.entries(projects).flatMap(([key, name]) => {
      const taken = projectNameOf(name)
      return taken === undefined ? [] : [[taken, configuredDir(key)]]
    }),
  )
}

/** Reports whether a repository at `dir` belongs to no project: at the user's home, at `/`, or in a temporary directory. */
function isNoProject(dir: string, { userHome, temporary }: Places): boolean {
  const home = userHome === undefined ? undefined : real(userHome)
  if (dir === home || dirname(dir) === dir) return true
  const inHome = home !== undefined && isInside(dir, home) ? home.length : 0
  return temporary.some(root => isInside(dir, root) && root.length >= inHome)
}

function isInside(dir: string, root: string): boolean {
  const way = relative(root, dir)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

/** Returns the name that a repository proposes for itself. Other keys of its file are ignored. */
function proposalOf({ main, top }: Repository): string | undefined {
  const dir = main ?? top
  if (dir === undefined) return undefined
  try {
    const { project } = JSON.parse(readSmall(join(dir, proposalFile)) ?? 'null') as { project?: unknown }
    return typeof project === 'string' ? projectNameOf(project) : undefined
  } catch {
    return undefined
  }
}
