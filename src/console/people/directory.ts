import type { Group, Member, MemberDetails } from '../../protocol/members.ts'

/** A member of the list: the fields that everyone sees, and those that only an admin sees. */
export type Listed = Member & Partial<Omit<MemberDetails, keyof Member>>

/** The states to filter by. */
export const states = [
  ['', 'Any state'],
  ['online', 'Online'],
  ['offline', 'Offline'],
  ['unread', 'Unread messages'],
  ['out', 'No access'],
] as const

/** The kinds to filter by. */
export const kinds = [
  ['', 'All kinds'],
  ['machine', 'Machines'],
  ['human', 'People'],
  ['service', 'Services'],
] as const

/** The filter. Each word of `words` must occur in a name, an alias, the owner, a project or a group of the member. */
export interface Wanted {
  words: string
  kind: string
  state: string
}

/** Returns the members that match: the reader and its machines first, then by name. */
export function wantedMembers(
  members: readonly Listed[],
  groups: readonly Group[],
  { words, kind, state }: Wanted,
  mine: ReadonlySet<string>,
): Listed[] {
  const terms = words
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
  const groupsOf = terms.length > 0 ? groupsByMember(groups) : new Map<string, string[]>()
  return members
    .filter(member => kind === '' || member.kind === kind)
    .filter(member => isInState(member, state))
    .filter(member => terms.every(term => namesOf(member, groupsOf).some(name => name.includes(term))))
    .sort((a, b) => Number(mine.has(b.name)) - Number(mine.has(a.name)) || (a.name < b.name ? -1 : 1))
}

/** Returns the groups of each member, by its name. */
export function groupsByMember(groups: readonly Group[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { name, members } of groups)
    for (const member of members) found.set(member, [...(found.get(member) ?? []), name])
  return found
}

function namesOf({ name, aliases, owner, projects = [] }: Listed, groupsOf: Map<string, string[]>): string[] {
  return [name, ...aliases, owner ?? '', ...projects.map(project => project.name), ...(groupsOf.get(name) ?? [])].map(
    each => each.toLowerCase(),
  )
}

function isInState(member: Listed, state: string): boolean {
  if (state === 'online') return member.online
  if (state === 'offline') return !member.online
  if (state === 'unread') return (member.unread ?? 0) > 0
  if (state === 'out') return hasNoAccess(member)
  return true
}

/**
 * Reports whether a member cannot connect: it has not joined, was revoked, or its token has ended. False if the reader may not know that.
 */
export function hasNoAccess({ tokenId, telegram, kind }: Listed): boolean {
  return tokenId === null && telegram !== true && kind !== 'service'
}
