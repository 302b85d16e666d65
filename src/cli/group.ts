import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

export function groupCommand(): Command {
  const command = new Command('group')
    .description('List groups, or set the members of one')
    .argument('[group]', 'The group; created if it does not exist')
    .argument('[members...]', 'All of its members')
    .option('--remove', 'Remove the group; its members stay')
  return withAdminOptions(command).action(
    (group: string | undefined, members: string[], options: AdminOptions & { remove?: boolean }) =>
      asAdmin(options, async client => {
        if (group === undefined || (members.length === 0 && !options.remove)) {
          const { groups } = await client.call(api.listGroups)
          const shown = groups.filter(({ name }) => group === undefined || name === group)
          if (group !== undefined && shown.length === 0) {
            throw new ClaudeNetError(
              'not_found',
              `There is no group '${group}'.`,
              `Make it: claude-net group ${group} MEMBER…`,
            )
          }
          print(options, { groups: shown }, () =>
            shown.length === 0
              ? 'No groups yet. Make the first: claude-net group NAME MEMBER…'
              : table([['GROUP', 'MEMBERS'], ...shown.map(({ name, members }) => [name, members.join(', ')])]),
          )
          return
        }
        if (options.remove) {
          const answer = await client.call(api.deleteGroup, { params: { name: group } })
          print(options, answer, () => `There is no group ${group} any more.`)
          return
        }
        const answer = await client.call(api.putGroup, { params: { name: group }, body: { members } })
        print(
          options,
          answer,
          () => `${group} has ${count(answer.members.length, 'member')}: ${answer.members.join(', ')}.`,
        )
      }),
  )
}
