import * as z from 'zod'
import { lookupForm, namePattern } from './names.ts'

/** The name of a project: it has the form of a member's name, and none is reserved, since it never stands alone. */
export const ProjectName = z
  .string()
  .regex(namePattern, 'a project has 1 to 64 characters a-z, 0-9 and -, and neither starts nor ends with -')

/**
 * For which project a session reads, acks or sends: it sees mail of its member that is for no project, and that for this one. Empty is
 * a session of no project. Where it is left out, as by clients from before there were projects, all mail of the member is meant.
 */
export const ProjectScope = z.union([z.literal(''), ProjectName])
export type ProjectScope = z.infer<typeof ProjectScope>

/** A header of `POST /mcp` with the project of the session that asks. */
export const projectHeader = 'claude-net-project'

/** Most projects of one member in an answer. */
export const maxListedProjects = 20

/** An address in the form that it is looked up by. Without a slash there is no `project`; the name may stand for anything. */
export interface Address {
  name: string
  project?: string
}

/** Reads `name` or `name/project` as somebody typed it. */
export function addressOf(typed: string): Address {
  const slash = typed.indexOf('/')
  if (slash < 0) return { name: lookupForm(typed) }
  return { name: lookupForm(typed.slice(0, slash)), project: lookupForm(typed.slice(slash + 1)) }
}

/** How an address is written. */
export function formatAddress({ name, project }: { name: string; project?: string | null }): string {
  return project === undefined || project === null ? name : `${name}/${project}`
}
