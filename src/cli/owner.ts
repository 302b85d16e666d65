import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

export function ownerCommand(): Command {
  const command = new Command('owner')
    .description('Set the owner of a machine')
    .argument('<machine>', 'Name of the machine')
    .argument('[human]', 'Name of its owner')
    .option('--none', 'Remove its owner')
  return withAdminOptions(command).action(
    (machine: string, human: string | undefined, options: AdminOptions & { none?: boolean }) =>
      asAdmin(options, async client => {
        if ((human === undefined) === !options.none) {
          throw new UsageError('Name the owner, or say --none.', `claude-net owner ${machine} HUMAN`)
        }
        const known = await client.call(api.listMembers)
        if (!known.members.some(({ name }) => name === machine)) {
          throw new ClaudeNetError('not_found', `No member is called '${machine}'.`, 'claude-net members lists all.')
        }
        const answer = await client.call(api.putMember, { params: { name: machine }, body: { owner: human ?? null } })
        print(options, { ...answer, owner: human ?? null }, () => `${machine} belongs to ${human ?? 'nobody'}.`)
      }),
  )
}
