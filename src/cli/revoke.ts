import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function revokeCommand(): Command {
  const command = new Command('revoke')
    .description("end a member's tokens at once; its inbox stays")
    .argument('<name>', 'the member')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.revokeMember, { params: { name } })
      print(options, answer, () => {
        const what = answer.revoked === 0 ? `${answer.name} had no token.` : `${answer.name} is locked out.`
        return `${what} Mail goes on waiting for it; to let it in again: claude-net invite ${answer.name}`
      })
    }),
  )
}
