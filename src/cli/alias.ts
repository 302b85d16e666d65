import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function aliasCommand(): Command {
  const command = new Command('alias')
    .description('give a member another name to be reached by')
    .argument('<alias>', 'the other name')
    .argument('[member]', 'whose it is; it may point to another member before')
    .option('--remove', 'take the alias away')
  return withAdminOptions(command).action(
    (alias: string, member: string | undefined, options: AdminOptions & { remove?: boolean }) =>
      asAdmin(options, async client => {
        if (options.remove) {
          const answer = await client.call(api.deleteAlias, { params: { name: alias } })
          print(options, answer, () => `${alias} is no longer an alias of ${answer.member}.`)
          return
        }
        if (member === undefined) {
          throw new ClaudeNetError(
            'invalid',
            'Whose alias shall it be?',
            `claude-net alias ${alias} MEMBER, or --remove`,
          )
        }
        const answer = await client.call(api.putAlias, { params: { name: alias }, body: { member } })
        print(options, answer, () => `${answer.alias} now means ${answer.member}.`)
      }),
  )
}
