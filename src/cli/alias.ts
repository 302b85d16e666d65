import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'
import { UsageError } from './usage-error.ts'

export function aliasCommand(): Command {
  const command = new Command('alias')
    .description('List aliases of members, or create, move or remove one')
    .argument('[alias]', 'The alias; created if it does not exist')
    .argument('[member]', 'Member that it names; an existing alias is moved to this member')
    .option('--remove', 'Remove the alias')
  return withAdminOptions(command).action(
    (alias: string | undefined, member: string | undefined, options: AdminOptions & { remove?: boolean }) =>
      asAdmin(options, async client => {
        if (alias === undefined) {
          const { members } = await client.call(api.listMembers)
          const aliases = members.flatMap(({ name, aliases }) => aliases.map(alias => ({ alias, member: name })))
          print(options, { aliases }, () =>
            aliases.length === 0
              ? 'No aliases yet. Make the first: claude-net alias ALIAS MEMBER'
              : table([['ALIAS', 'MEMBER'], ...aliases.map(({ alias, member }) => [alias, member])]),
          )
          return
        }
        if (options.remove) {
          const answer = await client.call(api.deleteAlias, { params: { name: alias } })
          print(options, answer, () => `${alias} is no longer an alias of ${answer.member}.`)
          return
        }
        if (member === undefined) {
          throw new UsageError('Whose alias shall it be?', `claude-net alias ${alias} MEMBER, or --remove`)
        }
        const answer = await client.call(api.putAlias, { params: { name: alias }, body: { member } })
        print(options, answer, () => `${answer.alias} now means ${answer.member}.`)
      }),
  )
}
