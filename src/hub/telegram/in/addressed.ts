import { everyone } from '../../../protocol/names.ts'
import { addressOf, formatAddress } from '../../../protocol/projects.ts'
import { groupExists, memberMeant, nearestNames } from '../../state/query/find-member.ts'
import { isProject, nearestProjects } from '../../state/query/projects.ts'
import type { Database } from '../../state/store/database.ts'

/** A text and the recipients that a person typed in front of it. */
export interface Addressed {
  names: string[]
  body: string
  /** The word after the last comma if it is nobody's name: a mistyped name, or the beginning of the text. */
  doubt?: string
}

const word = '@?[^\\s,:]+'

/** Matches `a: text` and `a, b: text`, with names before the colon. The colon of a URL such as `https://…` does not count. */
const withColon = new RegExp(`^(${word}(?:\\s*,\\s*${word})*)\\s*:(?!//)\\s*([\\s\\S]+)$`)
const firstName = new RegExp(`^(${word})(\\s*,\\s*|\\s+|$)`)

/**
 * Parses `a text`, `a: text`, `a,b text`, `a, b: text` and `a, b text`. Without a colon, the word after a comma and a space is a name only
 * if somebody has it. Returns undefined when there is no text.
 */
export function parseAddressed(text: string, isName: (typed: string) => boolean): Addressed | undefined {
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

/** Reports whether `typed` can be a recipient: a member, an alias, a group, `all`, or a machine with one of its projects. */
export function isRecipient(db: Database, typed: string): boolean {
  const { name, project } = addressOf(typed)
  const member = memberMeant(db, name)
  if (project !== undefined) return member?.kind === 'machine' && isProject(db, member.id, project)
  return name === everyone || member !== undefined || groupExists(db, name)
}

/** Returns why `typed` cannot be a recipient, and the nearest names. */
export function whyNoRecipient(db: Database, typed: string): { why: string; nearest: string[] } {
  const { name, project } = addressOf(typed)
  const shown = typed.slice(0, 129)
  const member = memberMeant(db, name)
  if (project === undefined) return { why: `No member is called '${shown}'.`, nearest: nearestNames(db, typed) }
  if (member?.kind === 'machine') {
    const nearest = nearestProjects(db, member.id, project).map(near =>
      formatAddress({ name: member.name, project: near }),
    )
    return {
      why: `${member.name} has no project '${project.slice(0, 64)}'.`,
      nearest: [...nearest, member.name],
    }
  }
  if (isRecipient(db, name)) return { why: `Only machines have projects, so '${shown}' names nobody.`, nearest: [name] }
  return { why: `No member is called '${name.slice(0, 64)}'.`, nearest: nearestNames(db, name) }
}

/** The text before and after the bot's name, without the separators. */
export interface Mention {
  before: string
  behind: string
}

/** Finds where `text` names the bot, by a mention or by a command addressed to it. Returns undefined when it does not. */
export function mentionIn(text: string, bot: string): Mention | undefined {
  const found = new RegExp(`(^|[^\\w@/]|(?<=^|\\s)/\\w+)@${bot}(?!\\w)[\\s,:]*`, 'i').exec(text)
  if (!found) return undefined
  const [whole, lead] = found
  const before = lead!.startsWith('/') ? text.slice(0, found.index) : text.slice(0, found.index + lead!.length)
  return { before: before.trim(), behind: text.slice(found.index + whole.length).trim() }
}
