import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function renameCommand(): Command {
  const command = new Command('rename')
    .description('Rename a member; its inbox, token and groups stay')
    .argument('<name>', 'Current name')
    .argument('<to>', 'New name')
  return withAdminOptions(command).action((name: string, to: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.renameMember, { params: { name }, body: { to } })
      print(options, answer, () =>
        [
          `${name} is now ${answer.name}. The old name no longer reaches anyone; to keep it: claude-net alias ${name} ${answer.name}`,
          `Its own name for itself: on a machine "machine" in ~/.claude-net/config.json, of a person on Telegram the one in hub.json. Set it to ${answer.name}.`,
        ].join('\n'),
      )
    }),
  )
}
