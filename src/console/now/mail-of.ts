import { who } from '../session.ts'

/** Most names that one request may ask for. */
const maxNames = 100

/** Whose mail the reader sees: `of` for the routes that take it. An admin sees everybody's, without naming anybody. */
export function ownMail(): { of?: string[] } {
  const me = who.value!
  return me.role === 'admin' ? {} : { of: [me.name, ...me.owns].slice(0, maxNames) }
}
