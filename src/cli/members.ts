import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { concernLines } from '../text/concerns.ts'
import { presenceInWords } from '../text/presence.ts'
import { type AdminOptions, adminClient, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

export function membersCommand(): Command {
  return withAdminOptions(new Command('members').description('list every member, for the admin')).action(
    async (options: AdminOptions) => {
      const { client } = adminClient(options)
      const answer = await client.call(api.listMembers)
      const rows = answer.members.map(({ name, kind, owner, unread, tokenId, ...presence }) => {
        const state = tokenId ? presenceInWords(presence, client.now()) : 'has not joined'
        return [name, kind, owner ?? '', String(unread), state]
      })
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
