import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import type { MemberDetails } from '../protocol/members.ts'
import { concernLines } from '../text/concerns.ts'
import { presenceInWords, serviceState } from '../text/presence.ts'
import { ago, largestUnit } from '../text/spans.ts'
import { type AdminOptions, adminClient, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

/** From when on the end of a token is told, in ms. */
const nearMs = 7 * 86_400_000

export function membersCommand(): Command {
  return withAdminOptions(new Command('members').description('list every member, for the admin')).action(
    async (options: AdminOptions) => {
      const { client } = adminClient(options)
      const answer = await client.call(api.listMembers)
      const rows = answer.members.map(member => [
        member.name,
        member.kind,
        member.owner ?? '',
        String(member.unread),
        ...tokenInWords(member, client.now()),
        stateInWords(member, client.now()),
      ])
      print(options, answer, () =>
        rows.length === 0
          ? 'No members yet. Make the first: claude-net invite NAME'
          : [
              table([['NAME', 'KIND', 'OWNER', 'UNREAD', 'TOKEN', 'LAST USE', 'STATE'], ...rows]),
              ...concernLines(answer, client.now()).map(line => `\n${line}`),
            ].join('\n'),
      )
      client.close()
    },
  )
}

/** How old the token of a member is, when it ends if that is near, how many older ones go on; and when any of them was used last. */
function tokenInWords({ tokens }: MemberDetails, now: number): [age: string, use: string] {
  const newest = tokens.at(-1)
  if (!newest) return ['', '']
  const leftMs = newest.endsAt === null ? Infinity : Date.parse(newest.endsAt) - now
  const age = largestUnit(Math.max(0, now - Date.parse(newest.createdAt)))
  const uses = tokens.flatMap(({ lastUsedAt }) => (lastUsedAt === null ? [] : [Date.parse(lastUsedAt)]))
  return [
    [
      `${age} old`,
      ...(leftMs < nearMs ? [`ends in ${largestUnit(Math.max(0, leftMs))}`] : []),
      ...(tokens.length > 1 ? [`${tokens.length - 1} replaced`] : []),
    ].join(', '),
    uses.length > 0 ? ago(Math.max(...uses), now) : 'never',
  ]
}

/** Without a token a member reads nothing, but for a person on Telegram. One that has joined can only have lost it by `revoke`. */
function stateInWords(member: MemberDetails, now: number): string {
  const { tokenId, tokenEndedAt, joinedAt, boundTo, kind, ...presence } = member
  const bound = boundTo.length > 0 ? `; from ${boundTo.join(', ')} only` : ''
  if (kind === 'service') return `${serviceState}${bound}`
  const state = presenceInWords(presence, now) + bound
  if (tokenEndedAt !== null) return `its token ended by age ${ago(Date.parse(tokenEndedAt), now)}; ${state}`
  if (tokenId !== null || presence.telegram) return state
  return joinedAt === null ? 'has not joined' : `revoked; ${state}`
}
