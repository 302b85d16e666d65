import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { concernLines } from '../text/concerns.ts'
import { lastUse, memberState, tokenAge } from '../text/member-state.ts'
import { type AdminOptions, adminClient, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

export function membersCommand(): Command {
  return withAdminOptions(new Command('members').description('List all members')).action(
    async (options: AdminOptions) => {
      const { client } = adminClient(options)
      const answer = await client.call(api.listMembers)
      const rows = answer.members.map(member => [
        member.name,
        member.kind,
        member.owner ?? '',
        String(member.unread),
        tokenAge(member, client.now()),
        lastUse(member, client.now()),
        memberState(member, client.now()),
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
