import { who } from '../session.ts'

/** Most names that one request may ask for. */
const maxNames = 100

/** Returns the members whose messages the reader sees: `of` for routes that take it. An admin sees those of all, without `of`. */
export function ownMail(): { of?: string[] } {
  const me = who.value!
  return me.role === 'admin' ? {} : { of: [me.name, ...me.owns].slice(0, maxNames) }
}
