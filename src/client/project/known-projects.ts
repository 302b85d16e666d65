import { basename, join } from 'node:path'
import * as z from 'zod'
import { withBriefLock } from '../../disk/brief-lock.ts'
import { replaceFile } from '../../disk/replace-file.ts'
import { projectNameOf } from './project-name.ts'
import { isRepositoryPlace, readSmall } from './repository.ts'

/** The repositories of this machine: the path of each, by project name. */
export type KnownProjects = ReadonlyMap<string, string>

/** Maximum number of stored repositories. Beyond it, those that no longer exist are deleted, then the oldest. */
const maxKnown = 500

const File = z.object({ projects: z.record(z.string(), z.string()) })

function fileOf(home: string): string {
  return join(home, 'projects.json')
}

/** Returns the repositories stored in `home`; none if its file is missing or malformed. */
export function knownProjects(home: string): KnownProjects {
  try {
    return new Map(Object.entries(File.parse(JSON.parse(readSmall(fileOf(home)) ?? '')).projects))
  } catch {
    return new Map()
  }
}

/**
 * Stores the name of the repository at `place`, and returns it. `choose` picks it from the repositories that are known, under a lock,
 * so that concurrent processes do not pick the same name. If the file cannot be written, the name is returned all the same and chosen
 * again the next time.
 */
export function storeProject(home: string, place: string, choose: (known: KnownProjects) => string): string {
  const before = knownProjects(home)
  const name = choose(before)
  if (before.get(name) === place) return name
  try {
    return withBriefLock(`${fileOf(home)}.lock`, isHeld => claim(home, place, choose, isHeld)) ?? name
  } catch {
    return name
  }
}

function claim(
  home: string,
  place: string,
  choose: (known: KnownProjects) => string,
  isHeld: () => boolean,
): string | undefined {
  const before = knownProjects(home)
  const name = choose(before)
  // A repository has only its latest name.
  const others = [...before].filter(([other, where]) => other !== name && where !== place)
  const kept = others.length < maxKnown ? others : others.filter(([, where]) => isRepositoryPlace(where))
  const projects = Object.fromEntries([...kept.slice(1 - maxKnown), [name, place]])
  if (!isHeld()) return undefined
  replaceFile(fileOf(home), `${JSON.stringify({ projects }, null, 2)}\n`, 0o600)
  return name
}

/** Two repositories whose directories have the same name, so that the name of one has a number appended. */
export interface NamedTwice {
  name: string
  place: string
  wanted: string
  other: string
}

/** Returns the repositories with a number appended to their name because another one, which still exists, has that name. */
export function namesakes(known: KnownProjects): NamedTwice[] {
  return [...known].flatMap(([name, place]) => {
    const wanted = name.replace(/-\d+$/, '')
    const other = known.get(wanted)
    const isOwnName = projectNameOf(basename(place)) === name
    if (wanted === name || other === undefined || isOwnName) return []
    return isRepositoryPlace(place) && isRepositoryPlace(other) ? [{ name, place, wanted, other }] : []
  })
}
