import { type FoundProject, findProject, type ProjectSettings } from './find-project.ts'

/**
 * The messages that a session reads: those for one project and for none; for `''`, only those for none. Undefined for all of the
 * machine's messages, if config.json shares no projects.
 */
export type Scope = string | undefined

/** Returns the scope of a process in `dir`, and how its project was found. */
export function scopeOf(dir: string, home: string, settings: ProjectSettings): FoundProject & { scope: Scope } {
  const found = findProject(dir, home, settings)
  return { ...found, scope: settings.shareProjects === false ? undefined : (found.name ?? '') }
}
