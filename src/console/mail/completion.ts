import { kindInWords } from './words.ts'

/** Possible recipients, as listed by `GET /v1/machines`. */
export interface Directory {
  members: readonly {
    name: string
    kind: string
    owner: string | null
    aliases: readonly string[]
    online: boolean
    projects?: readonly { name: string; sessions: number }[] | undefined
  }[]
  groups?: readonly { name: string; members: readonly string[] }[] | undefined
}

/** One completion of the typed text. */
export interface Suggestion {
  /** The address that replaces the typed word. */
  address: string
  /** Description shown after the name: `alias of seanclaude`, `3 members`, `every machine`. */
  note: string
  online: boolean
}

/** The word of a list of recipients at the caret, from `start` up to `end`. */
export interface Word {
  start: number
  end: number
  text: string
}

const separators = /[\s,;]/

export function wordAt(text: string, caret: number): Word {
  let [start, end] = [caret, caret]
  while (start > 0 && !separators.test(text[start - 1]!)) start--
  while (end < text.length && !separators.test(text[end]!)) end++
  return { start, end, text: text.slice(start, end) }
}

/** Returns the text with the word replaced by the address, ready for another one, and the new position of the caret. */
export function completed(text: string, { start, end }: Word, address: string): { text: string; caret: number } {
  const head = `${text.slice(0, start)}${address}, `
  return { text: head + text.slice(end).replace(/^[\s,;]+/, ''), caret: head.length }
}

/** Returns the addresses in a list that was typed with commas, semicolons or spaces, each once, in their order. */
export function addressesIn(text: string): string[] {
  return [...new Set(text.split(separators).filter(address => address !== ''))]
}

/**
 * Returns at most `max` completions, best first: names that start with the word, then names with a part that does, then names that contain it;
 * online members first within each. After a slash, the projects of that machine. Excludes `you`, recipients already listed, and members that
 * cannot receive messages.
 */
export function suggestions(
  directory: Directory,
  word: string,
  taken: readonly string[],
  you: string,
  max = 8,
): Suggestion[] {
  const typed = word.replace(/^@/, '').toLowerCase()
  const slash = typed.indexOf('/')
  const all = slash < 0 ? namesOf(directory, you) : projectsOf(directory, typed.slice(0, slash))
  const listed = new Set(taken.map(address => address.replace(/^@/, '').toLowerCase()))
  return all
    .filter(({ address }) => !listed.has(address) || address === typed)
    .flatMap(each => {
      const rank = rankOf(each.address, typed)
      return rank === undefined ? [] : [{ ...each, rank }]
    })
    .sort((a, b) => a.rank - b.rank || Number(b.online) - Number(a.online) || compare(a.address, b.address))
    .slice(0, max)
    .map(({ address, note, online }) => ({ address, note, online }))
}

function namesOf({ members, groups = [] }: Directory, you: string): Suggestion[] {
  const others = members.filter(({ kind }) => kind === 'machine' || kind === 'human')
  return [
    ...others.flatMap(({ name, kind, owner, aliases, online }) => [
      ...(name === you
        ? []
        : [
            {
              address: name,
              note: owner === null ? kindInWords(kind) : `${kindInWords(kind)} owned by ${owner}`,
              online,
            },
          ]),
      ...(name === you ? [] : aliases.map(alias => ({ address: alias, note: `alias of ${name}`, online }))),
    ]),
    ...groups.map(group => ({
      address: group.name,
      note: `group of ${group.members.length}: ${group.members.slice(0, 3).join(', ')}${group.members.length > 3 ? ', …' : ''}`,
      online: others.some(({ name, online }) => online && group.members.includes(name)),
    })),
    { address: 'all', note: 'every machine', online: others.some(({ kind, online }) => online && kind === 'machine') },
  ]
}

function projectsOf({ members }: Directory, typedName: string): Suggestion[] {
  const found = members.find(({ name, aliases }) => name === typedName || aliases.includes(typedName))
  return (found?.projects ?? []).map(({ name, sessions }) => ({
    address: `${typedName}/${name}`,
    note:
      sessions === 0
        ? 'project without a session'
        : `project with ${sessions} ${sessions === 1 ? 'session' : 'sessions'}`,
    online: sessions > 0,
  }))
}

/** Ranks a match: 0 if `address` starts with `typed`, 1 if a part of it does, 2 if it contains it; undefined if none applies. */
function rankOf(address: string, typed: string): number | undefined {
  if (address.startsWith(typed)) return 0
  if (address.includes(`-${typed}`)) return 1
  return address.includes(typed) ? 2 : undefined
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
