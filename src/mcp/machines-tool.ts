import type { Member, MembersAnswer } from '../protocol/members.ts'
import { concernLines } from '../text/concerns.ts'
import { presenceInWords } from '../text/presence.ts'
import { count } from '../text/spans.ts'

/** Everyone, one line each: machines first, then humans. */
export function machinesText({ you, unread, members, ...concerns }: MembersAnswer, now: number): string {
  const lines = (['machine', 'human'] as const).flatMap(kind =>
    members.filter(member => member.kind === kind).map(member => memberLine(member, you, now)),
  )
  return [`You are ${you}; ${unread ?? 0} unread.`, ...lines, ...concernLines(concerns, now)].join('\n')
}

function memberLine(
  { name, kind, owner, aliases, sessions, ...presence }: Member,
  you: string | null,
  now: number,
): string {
  const what = owner ? `${kind} of ${owner}` : kind
  const also = aliases.length > 0 ? `, also called ${aliases.join(', ')}` : ''
  const open = sessions.length > 1 ? `, ${count(sessions.length, 'session')}` : ''
  return `${name}${name === you ? ' (you)' : ''}: ${what}${also}, ${presenceInWords(presence, now)}${open}`
}
