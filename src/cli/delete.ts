import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function deleteCommand(): Command {
  const command = new Command('delete')
    .description('Delete a member: its unread messages expire, and its name becomes available')
    .argument('<name>', 'Name of the member')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.deleteMember, { params: { name } })
      print(options, answer, () => `${answer.name} is gone; ${count(answer.expired, 'unread message')} expired.`)
    }),
  )
}
