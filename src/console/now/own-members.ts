import { who } from '../session.ts'

/** Most names in one request. */
const maxNames = 100

/** Returns the members whose messages the reader sees: `of` for routes that take it. Empty for an admin, who sees those of all. */
export function ownMembers(): { of?: string[] } {
  const me = who.value!
  return me.role === 'admin' ? {} : { of: [me.name, ...me.owns].slice(0, maxNames) }
}
