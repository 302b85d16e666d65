import * as z from 'zod'
import { lookupForm, namePattern } from './names.ts'

/** The name of a project, in the form of a member's name. None is reserved, since it never occurs alone. */
export const ProjectName = z
  .string()
  .regex(namePattern, 'a project has 1 to 64 characters a-z, 0-9 and -, and neither starts nor ends with -')

/**
 * Project for which a session reads, acks or sends: it covers the member's messages for this project and for none; empty, those for none.
 * If it is absent, as from clients older than projects, it covers all messages of the member.
 */
export const ProjectScope = z.union([z.literal(''), ProjectName])
export type ProjectScope = z.infer<typeof ProjectScope>

/** A header of `POST /mcp` with the project of the calling session. */
export const projectHeader = 'claude-net-project'

/** Maximum number of projects of one member in a response. */
export const maxListedProjects = 20

/** An address in the form used for lookup. `project` is absent if there is no slash; the name may be a member, alias, group or `all`. */
export interface Address {
  name: string
  project?: string
}

/** Parses `name` or `name/project` as typed. */
export function addressOf(typed: string): Address {
  const slash = typed.indexOf('/')
  if (slash < 0) return { name: lookupForm(typed) }
  return { name: lookupForm(typed.slice(0, slash)), project: lookupForm(typed.slice(slash + 1)) }
}

/** Returns an address in its written form. */
export function formatAddress({ name, project }: { name: string; project?: string | null }): string {
  return project === undefined || project === null ? name : `${name}/${project}`
}
