import * as z from 'zod'

/** A name in the shared namespace of members, aliases and groups: like a DNS label, 64 characters at most, ASCII so that no two look alike. */
export const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/

/** Names with a fixed meaning, which no member, alias or group may have. */
export const reservedNames: ReadonlySet<string> = new Set(['all', 'hub', 'admin', 'system'])

/** The name that stands for every machine but the sender. */
export const everyone = 'all'

/** A name that a member, alias or group may have. */
export const MemberName = z
  .string()
  .regex(namePattern, 'a name has 1 to 64 characters a-z, 0-9 and -, and neither starts nor ends with -')
  .refine(name => !reservedNames.has(name), 'this name is reserved (all, hub, admin, system)')

/** Returns the recipients in a typed list: `sean, jaz`. Ignores empty items. */
export function recipientsIn(typed: string): string[] {
  return typed
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '')
}

/** Returns a typed name (`Sean`, `@backend`) in the form used for lookup. The hub applies entries by it: see `entryVersion`. */
export function lookupForm(typed: string): string {
  return typed.trim().replace(/^@/, '').toLowerCase()
}
