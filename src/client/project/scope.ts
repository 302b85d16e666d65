import { type FoundProject, findProject, type ProjectSettings } from './find-project.ts'

/**
 * Whose mail is read: that for one project, with what is for none; of `''` the latter alone. Undefined: all of the machine's, where
 * config.json shares no projects.
 */
export type Scope = string | undefined

/** The scope of what runs in `dir`, and how its project was found. */
export function scopeOf(dir: string, home: string, settings: ProjectSettings): FoundProject & { scope: Scope } {
  const found = findProject(dir, home, settings)
  return { ...found, scope: settings.shareProjects === false ? undefined : (found.name ?? '') }
}
