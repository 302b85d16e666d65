import { everyone, lookupForm } from '../../protocol/names.ts'
import { groupExists, memberMeant } from '../state/query/find-member.ts'
import type { Database } from '../state/store/database.ts'

/** A text and for whom it is, as somebody typed both. */
export interface Addressed {
  names: string[]
  body: string
  /** The word behind the last comma, which nobody is called: a name mistyped, or the beginning of the text. */
  doubt?: string
}

const word = '@?[^\\s,:]+'

/** `a: text`, `a, b: text`: what stands before the colon is names. An address such as `https://…` has no such colon. */
const withColon = new RegExp(`^(${word}(?:\\s*,\\s*${word})*)\\s*:(?!//)\\s*([\\s\\S]+)$`)
const firstName = new RegExp(`^(${word})(\\s*,\\s*|\\s+|$)`)

/**
 * Reads `a text`, `a: text`, `a,b text`, `a, b: text` and `a, b text`. Without a colon the word behind a comma and a space is a name
 * only where somebody is called so. Undefined when there is no text.
 */
export function addressed(text: string, isName: (typed: string) => boolean): Addressed | undefined {
  const [, list, rest] = withColon.exec(text) ?? []
  if (list !== undefined) return { names: list.split(',').map(name => name.trim()), body: rest!.trim() }
  const names: string[] = []
  let left = text
  for (;;) {
    const [whole, name, after] = firstName.exec(left) ?? []
    if (whole === undefined) break
    names.push(name!)
    left = left.slice(whole.length)
    if (!after!.includes(',')) break
    const [, next] = firstName.exec(left) ?? []
    const isList = next !== undefined && (!/,\s/.test(after!) || isName(next))
    if (!isList) return left === '' ? undefined : { names, body: left, ...(next !== undefined && { doubt: next }) }
  }
  return names.length === 0 || left === '' ? undefined : { names, body: left }
}

/** Whether mail can go to what somebody typed: a member, an alias, a group or `all`. */
export function isRecipient(db: Database, typed: string): boolean {
  const name = lookupForm(typed)
  return name === everyone || memberMeant(db, typed) !== undefined || groupExists(db, name)
}

/** A text that names the bot: what stands before and behind its name, without the signs between. */
export interface Mention {
  before: string
  behind: string
}

/** Where `text` names the bot, as a mention or by a command that is addressed to it; undefined when it does not. */
export function mentionIn(text: string, bot: string): Mention | undefined {
  const found = new RegExp(`(^|[^\\w@/]|(?<=^|\\s)/\\w+)@${bot}(?!\\w)[\\s,:]*`, 'i').exec(text)
  if (!found) return undefined
  const [whole, lead] = found
  const before = lead!.startsWith('/') ? text.slice(0, found.index) : text.slice(0, found.index + lead!.length)
  return { before: before.trim(), behind: text.slice(found.index + whole.length).trim() }
}
