import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import type { MemberDetails } from '../protocol/members.ts'
import { concernLines } from '../text/concerns.ts'
import { presenceInWords } from '../text/presence.ts'
import { type AdminOptions, adminClient, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

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
        stateInWords(member, client.now()),
      ])
      print(options, answer, () =>
        rows.length === 0
          ? 'No members yet. Make the first: claude-net invite NAME'
          : [
              table([['NAME', 'KIND', 'OWNER', 'UNREAD', 'STATE'], ...rows]),
              ...concernLines(answer, client.now()).map(line => `\n${line}`),
            ].join('\n'),
      )
      client.close()
    },
  )
}

/** Without a token a member reads nothing, but for a person on Telegram. One that has joined can only have lost it by `revoke`. */
function stateInWords({ tokenId, joinedAt, ...presence }: MemberDetails, now: number): string {
  const state = presenceInWords(presence, now)
  if (tokenId !== null || presence.telegram) return state
  return joinedAt === null ? 'has not joined' : `revoked; ${state}`
}
