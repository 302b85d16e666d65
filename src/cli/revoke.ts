import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function revokeCommand(): Command {
  const command = new Command('revoke')
    .description("Revoke a member's tokens at once, and cancel its scheduled messages; its inbox stays")
    .argument('<name>', 'Name of the member')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.revokeMember, { params: { name } })
      print(options, answer, () => {
        const what = answer.revoked === 0 ? `${answer.name} had no token.` : `${answer.name} is locked out.`
        const later = answer.later
          ? ` ${count(answer.later, 'scheduled message')} ${answer.later === 1 ? 'was' : 'were'} cancelled.`
          : ''
        return `${what}${later} Its inbox still receives messages; to let it in again: claude-net invite ${answer.name}`
      })
    }),
  )
}
