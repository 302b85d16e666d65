import * as z from 'zod'

/** The one namespace of members, aliases and groups: a DNS label. 64 characters at most, ASCII, so none can look like another. */
export const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/

/** Names that mean something by themselves and can belong to nobody. */
export const reservedNames: ReadonlySet<string> = new Set(['all', 'hub', 'admin', 'system'])

/** The name that stands for every machine but the sender. */
export const everyone = 'all'

/** A name that somebody may carry. */
export const MemberName = z
  .string()
  .regex(namePattern, 'a name has 1 to 64 characters a-z, 0-9 and -, and neither starts nor ends with -')
  .refine(name => !reservedNames.has(name), 'this name is reserved (all, hub, admin, system)')

/** The recipients that a person or an agent typed: `sean, jaz`. What is empty between commas is nobody. */
export function recipientsIn(typed: string): string[] {
  return typed
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
}

/** A name as a person types it (`Sean`, `@backend`) in the form that it is looked up by. The hub applies entries by it: see `entryVersion`. */
export function lookupForm(typed: string): string {
  return typed.trim().replace(/^@/, '').toLowerCase()
}
