import { basename, join } from 'node:path'
import * as z from 'zod'
import { withBriefLock } from '../../disk/brief-lock.ts'
import { replaceFile } from '../../disk/replace-file.ts'
import { projectNameOf } from './project-name.ts'
import { isRepositoryPlace, readSmall } from './repository.ts'

/** Which repository of this machine has which name: the place of each, by name. */
export type KnownProjects = ReadonlyMap<string, string>

/** Most repositories that are remembered. Beyond, those that are gone are forgotten, then those that were remembered first. */
const maxKnown = 500

const File = z.object({ projects: z.record(z.string(), z.string()) })

function fileOf(home: string): string {
  return join(home, 'projects.json')
}

/** What the machine of `home` remembers. Nothing where its file is missing or broken. */
export function knownProjects(home: string): KnownProjects {
  try {
    return new Map(Object.entries(File.parse(JSON.parse(readSmall(fileOf(home)) ?? '')).projects))
  } catch {
    return new Map()
  }
}

/**
 * Has the machine remember that the repository at `place` has the name that `choose` picks of what is known by then, and returns
 * that name. Of several processes at once one is first, and the others know of it. Where the file cannot be written the name
 * counts all the same, and is found anew the next time.
 */
export function rememberProject(home: string, place: string, choose: (known: KnownProjects) => string): string {
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
  // A repository has one name, the last.
  const others = [...before].filter(([other, where]) => other !== name && where !== place)
  const kept = others.length < maxKnown ? others : others.filter(([, where]) => isRepositoryPlace(where))
  const projects = Object.fromEntries([...kept.slice(1 - maxKnown), [name, place]])
  if (!isHeld()) return undefined
  replaceFile(fileOf(home), `${JSON.stringify({ projects }, null, 2)}\n`, 0o600)
  return name
}

/** Two repositories whose directories have one name, so that one has a number behind its own. */
export interface NamedTwice {
  name: string
  place: string
  wanted: string
  other: string
}

/** Every repository that has a number behind its name because another, which is there still, has that name. */
export function namesakes(known: KnownProjects): NamedTwice[] {
  return [...known].flatMap(([name, place]) => {
    const wanted = name.replace(/-\d+$/, '')
    const other = known.get(wanted)
    const isOwnName = projectNameOf(basename(place)) === name
    if (wanted === name || other === undefined || isOwnName) return []
    return isRepositoryPlace(place) && isRepositoryPlace(other) ? [{ name, place, wanted, other }] : []
  })
}
