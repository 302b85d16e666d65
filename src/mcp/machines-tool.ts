import type { Member, MembersAnswer, OpenRequest, Session } from '../protocol/members.ts'
import { isOlder, version } from '../protocol/version.ts'
import { concernLines } from '../text/concerns.ts'
import { presenceInWords } from '../text/presence.ts'
import { ago, count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'

/** Most open requests in one answer to an agent. */
const maxRequests = 10

/** Everyone, one line each: machines first, then humans; then what nobody has answered yet. */
export function machinesText({ you, unread, members, openRequests, ...concerns }: MembersAnswer, now: number): string {
  const newest = newestClient(members)
  const lines = (['machine', 'human'] as const).flatMap(kind =>
    members.filter(member => member.kind === kind).map(member => memberLine(member, you, newest, now)),
  )
  return [
    `You are ${you}; ${unread ?? 0} unread.`,
    ...lines,
    ...concernLines(concerns, now),
    ...requestLines(openRequests.slice(0, maxRequests), now),
    ...(openRequests.length > maxRequests ? [`and ${openRequests.length - maxRequests} older`] : []),
  ].join('\n')
}

/** What this machine has asked and nobody has answered; nothing when there is none. */
export function requestLines(requests: readonly OpenRequest[], now: number): string[] {
  if (requests.length === 0) return []
  return [
    `${count(requests.length, 'request')} of yours without an answer:`,
    ...requests.map(({ id, sentAt, intent, beginning, waitingFor }) => {
      const who = waitingFor.slice(0, 5).map(({ name, status }) => `${name} (${status})`)
      const more = waitingFor.length > 5 ? ` and ${waitingFor.length - 5} more` : ''
      const urgent = intent === 'urgent' ? 'urgent, ' : ''
      const asked = `${urgent}${ago(Date.parse(sentAt), now)}, waiting for ${who.join(', ')}${more}`
      return `- ${id}: ${asked}: > ${visibleLine(beginning.trimStart().split('\n')[0]!, 80)}`
    }),
  ]
}

/** The newest version among this program and the sessions that run: older ones should reconnect. */
export function newestClient(members: readonly Member[]): string {
  const versions = members.flatMap(({ sessions }) => sessions.map(({ client }) => versionOf(client)))
  return versions.reduce((newest, other) => (isOlder(newest, other) ? other : newest), version)
}

/** The versions of a machine's sessions, each once, and which of them are old. */
export function clientsInWords(sessions: readonly Session[], newest: string): string {
  const clients = [...new Set(sessions.map(({ client }) => client))].sort()
  return clients.map(client => visibleLine(client, 60) + (isOlder(versionOf(client), newest) ? tooOld : '')).join(', ')
}

const tooOld = ' (old: update, then reconnect under /mcp)'

function versionOf(client: string): string {
  return client.split('/').at(-1)!
}

function memberLine(
  { name, kind, owner, aliases, sessions, ...presence }: Member,
  you: string | null,
  newest: string,
  now: number,
): string {
  const what = owner ? `${kind} of ${owner}` : kind
  const also = aliases.length > 0 ? `, also called ${aliases.join(', ')}` : ''
  const open = sessions.length > 1 ? `, ${count(sessions.length, 'session')}` : ''
  // An agent need only know of a version where it should do something about it.
  const old = sessions.filter(({ client }) => isOlder(versionOf(client), newest))
  const versions = old.length > 0 ? `, ${clientsInWords(old, newest)}` : ''
  return `${name}${name === you ? ' (you)' : ''}: ${what}${also}, ${presenceInWords(presence, now)}${open}${versions}`
}
